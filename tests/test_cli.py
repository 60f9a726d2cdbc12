"""The `nbdeploy` command: help, JSON, exit status, near misses."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbdeploy import errors
from nbdeploy.cli import main
from nbdeploy.errors import DataError, NbdeployWarning
from nbdeploy.options import MAGICS, VERBS, Code, add_options, images_call, python_call
from nbdeploy.parsing import Line, Parser
from nbdeploy.verbs import DO, Done


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a function in the place of `nbdeploy predict`, whose line is easy to write."""

    def put(function: Any) -> list[str]:
        monkeypatch.setitem(DO, "predict", function)
        return ["predict", "bundle", "photo.jpg"]

    return put


def command(*words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    line = [sys.executable, "-m", "nbdeploy", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120, **settings)


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: nbdeploy {name}" in shown
    assert f"example:\n  nbdeploy {name}" in shown
    assert "--json" in shown


def test_every_verb_that_has_options_is_done_by_something() -> None:
    assert set(VERBS) == set(DO)


@pytest.mark.parametrize("name", sorted(VERBS))
def test_the_example_of_every_verb_parses(name: str) -> None:
    add_options(Parser(), name).parse_args(VERBS[name].example.split())


@pytest.mark.parametrize("name", sorted(MAGICS))
def test_the_example_of_every_magic_parses(name: str) -> None:
    add_options(Parser(), name, notebook=True).parse_args(MAGICS[name].in_notebook.split())


def test_help_names_every_verb_and_no_argument_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown and verb.summary in shown for name, verb in VERBS.items())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("depoly x", 'There is no verb "depoly".\nDid you mean "deploy"?'),
        ("deploy m --target tflit", 'There is no target "tflit".\nDid you mean "tflite"?'),
        ("deploy m --target tflite --recip fp16", 'There is no option "--recip".\nDid you mean "--recipe"?'),
        ("deploy m --taget tflite", 'There is no option "--taget".\nDid you mean "--target"?'),
        ("deploy m --target onnx --recipe int8", 'There is no recipe "int8".'),
        ("deploy m --target onnx --samples -1", "--samples takes a whole number of at least 0, not -1."),
        ("deploy m", "A target or a provider is needed.\nType: --target tflite"),
        ("deploy m n --target onnx", "There is no place for n."),
        ("dataset digit -o x", 'There is no data set "digit".\nDid you mean "digits"?'),
        ("dataset", "Which data set?\nType: nbdeploy dataset --list"),
        ("train x -o y --epochs 0", "--epochs takes a whole number of at least 1, not 0."),
        ("train x -o y --lr nan", "--lr takes a number above 0, not nan."),
        ("train x -o y -z", 'There is no option "-z".'),
        ("train x", "-o/--out is missing."),
        ("predict b", "FILE is missing."),
        ("completion tcsh", "SHELL invalid choice: 'tcsh'"),
    ],
)
def test_wrong_use_is_status_2_and_runs_nothing(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 2


def test_with_json_an_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "m", "--target", "tflit", "--json"]) == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert error["code"] == "UnknownName"
    assert error["message"] == 'There is no target "tflit".'
    assert error["hint"].startswith('Did you mean "tflite"?')
    assert 'There is no target "tflit".' in shown.err


def test_work_that_cannot_be_done_is_status_1_in_two_lines(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Any) -> None:
        raise DataError("There is one class.", hint="Make two.")

    assert main(verb(fail)) == 1
    assert capsys.readouterr().err == "DataError: There is one class.\nMake two.\n"
    assert main([*verb(fail), "--traceback"]) == 1
    assert "Traceback" in capsys.readouterr().err
    errors.show_tracebacks(on=False)


def test_an_error_nobody_foresaw_is_short_too(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Any) -> None:
        raise ZeroDivisionError("by zero")

    assert main([*verb(fail), "--json"]) == 1
    shown = capsys.readouterr()
    assert "ZeroDivisionError" == json.loads(shown.out)["error"]["code"]
    assert "--traceback shows where" in shown.err


def test_ctrl_c_is_status_130_and_says_that_nothing_was_put_in_place(
    verb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    assert main(verb(stop)) == 130
    assert "Stopped; nothing was put in place." in capsys.readouterr().err


def test_a_failed_check_is_status_1(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb(lambda _: Done({"checks": []}, "text", ok=False)), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"checks": []}


def test_only_the_document_reaches_standard_output(verb: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def noisy(_: Any) -> Done:
        sys.stdout.write("from Python\n")
        os.write(1, b"from native code\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        return Done({"é": 1}, "text")

    assert main([*verb(noisy), "--json"]) == 0
    shown = capfd.readouterr()
    assert json.loads(shown.out) == {"é": 1}
    assert all(f"from {what}" in shown.err for what in ("Python", "native code", "a child"))


def test_one_bad_file_of_many_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nbdeploy.core.bundle import Bundle, Prediction

    class Fake:
        def predict(self, file: str) -> Prediction:
            if file == "bad.png":
                raise DataError("bad.png cannot be read.")
            return Prediction(file, "🍏", {"🍏": float("nan"), "b": 0.5}, 1.0)

    monkeypatch.setattr(Bundle, "load", lambda _: Fake())
    assert main(["predict", "b", "bad.png", "good.png", "--json"]) == 1
    bad, good = json.loads(capsys.readouterr().out)
    assert {"file": "bad.png", "error": "bad.png cannot be read."} == bad
    assert {"🍏": None, "b": 0.5} == good["probabilities"]
    assert main(["predict", "b", "bad.png"]) == 1
    assert "DataError: bad.png" in capsys.readouterr().err


def test_a_terminal_without_such_letters_gets_the_result_all_the_same() -> None:
    code = (
        "import sys; from nbdeploy.cli import main; from nbdeploy.verbs import DO, Done;"
        "DO['predict'] = lambda _: Done({'\\U0001f34f': 'é'}, '\\U0001f34f');"
        "sys.exit(main(['predict', 'b', 'f', *sys.argv[1:]]))"
    )
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for more in ([], ["--json"]):
        line = [sys.executable, "-c", code, *more]
        done = subprocess.run(line, capture_output=True, text=True, check=True, env=ascii_only)
        assert {"🍏": "é"} == json.loads(done.stdout) if more else done.stdout == "\\U0001f34f\n"


def test_our_warnings_are_notes_and_those_of_libraries_are_left_out(
    verb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(_: Any) -> Done:
        import warnings

        warnings.warn("3 files were set aside", NbdeployWarning, stacklevel=1)
        warnings.warn("this will change in 2.0", FutureWarning, stacklevel=1)
        return Done(None, "done")

    assert main(verb(warn)) == 0
    assert capsys.readouterr().err == "Note: 3 files were set aside\n"


def test_dataset_makes_a_folder_and_lists_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "--list", "--json"]) == 0
    assert "digits" in json.loads(capsys.readouterr().out)
    out = str(tmp_path / "digits")
    assert main(["dataset", "digits", "-o", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "digits", "path": out}
    assert sorted(p.name for p in Path(out).iterdir() if p.is_dir()) == [str(digit) for digit in range(10)]


def test_training_does_not_start_where_the_model_could_not_be_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "no-such-folder", "-o", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_the_defaults_of_the_options_are_those_of_the_python_calls() -> None:
    from nbdeploy.data.audit import audit
    from nbdeploy.data.imageset import ImageSet
    from nbdeploy.flow import deploy
    from nbdeploy.training.images import train

    for name, line, functions in (
        ("train", ["x", "-o", "y"], (ImageSet.from_folder, train)),
        ("deploy", ["m", "--target", "onnx"], (deploy,)),
        ("audit", ["x"], (audit,)),
    ):
        parser = add_options(Parser(), name)
        assert set(Line(parser, parser.parse_args(line)).given()) <= {"data", "out", "model", "target"}
        for function in functions:
            parameters = inspect.signature(function).parameters
            for option, value in vars(parser.parse_args(line)).items():
                if (
                    option in parameters
                    and parameters[option].default is not inspect.Parameter.empty
                    and option not in {"out", "target"}
                ):
                    assert parameters[option].default == value, (function, option)


def test_the_python_line_can_be_run() -> None:
    line = python_call("nd.deploy", Code("learn"), target="tflite", name='a "b" é', samples=3, overwrite=True)
    assert line == 'nd.deploy(learn, target="tflite", name="a \\"b\\" é", samples=3, overwrite=True)'
    assert eval(line.replace("nd.deploy", "dict").replace("learn, ", ""))["name"] == 'a "b" é'
    line = python_call("nd.deploy", "build/x", provider="ssh", settings={"host": "me@there", "port": 1})
    assert line == 'nd.deploy("build/x", provider="ssh", settings={"host": "me@there", "port": 1})'


@pytest.mark.parametrize(
    ("path", "constructor"),
    [("a/b", "from_folder"), ("t.CSV", "from_csv"), ("x.zip", "from_zip"), ("x.tar.gz", "from_zip")],
)
def test_pictures_are_read_by_what_the_path_is(path: str, constructor: str) -> None:
    assert images_call(path, {"seed": 1}) == (constructor, f'nd.ImageSet.{constructor}("{path}", seed=1)')


def test_the_command_is_quick_and_light_to_ask_for_help() -> None:
    code = "import sys; from nbdeploy.cli import main; main(['deploy', '--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert not [name for name in ("torch", "fastai", "IPython", "numpy", "PIL") if f"'{name}'" in loaded]


def test_the_process_ends_with_the_status() -> None:
    done = command("predict", "no-such-bundle", "x.png", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "BundleError"
    assert command("--version").returncode == 0


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    line = f"{sys.executable} -m nbdeploy doctor --json | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_shell_completes_verbs_options_and_values() -> None:
    def offered(line: str) -> set[str]:
        shell = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
        code = f"exec 8>&1; {sys.executable} -m nbdeploy"
        settings = {**os.environ, **shell, "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
        done = subprocess.run(["bash", "-c", code], env=settings, capture_output=True, text=True, check=False)
        return {word.strip() for word in done.stdout.splitlines()}

    assert {"dataset", "deploy", "doctor", "demo"} <= offered("nbdeploy d")
    assert {"--recipe"} == offered("nbdeploy deploy m --reci")
    assert {"static_int8"} == offered("nbdeploy deploy m --recipe stat")
    assert {"tflite"} == offered("nbdeploy deploy m --target tfl")


def test_the_script_that_completes_can_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        assert "nbdeploy" in capsys.readouterr().out


@pytest.mark.slow
def test_the_verbs_lead_from_pictures_to_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(line: str, status: int = 0) -> Any:
        assert main([*line.split(), "--json"]) == status
        return json.loads(capfd.readouterr().out)

    monkeypatch.chdir(tmp_path)
    digits = Path(run("dataset digits -o digits")["path"])
    for label in ("0", "1"):
        Path("few", label).mkdir(parents=True)
        for picture in sorted((digits / label).glob("*.png"))[:10]:
            picture.rename(Path("few", label, picture.name))
    trained = run("train few -o model --arch squeezenet1_1 --epochs 1 --size 64 --from-scratch --no-flip")
    assert 0 <= trained["accuracy"] <= 1
    deployed = run("deploy model --target onnx -o bundle --samples 2 --latency-runs 0 --name few")
    assert (deployed["name"], deployed["target"], deployed["recipe"]) == ("few", "onnx", "fp32")
    assert {check["status"] for check in deployed["checks"]} == {"passed"}
    assert run("deploy model --target onnx -o bundle", 1)["error"]["code"] == "OutputError"

    files = sorted(map(str, Path("few").glob("*/*.png")))[:3]
    answers = run(f"predict bundle {' '.join(files)}")
    assert [answer["file"] for answer in answers] == files
    assert all(sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4) for answer in answers)
    assert len(run(f"predict bundle {files[0]}")) == 1
    assert run("predict bundle no.png", 1)["error"]["code"] == "DataError"

    assert run("verify bundle --model model")["metrics"]["top1_agreement"] == 1
    Path("bundle/labels.txt").write_text("1\n0\n", encoding="utf-8")
    failed = {check["name"] for check in run("verify bundle", 1)["checks"] if check["status"] == "failed"}
    assert "file_hashes" in failed
