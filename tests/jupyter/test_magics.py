"""%clean, %collect, %train, %deploy and %doctor in a real shell."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from IPython.core.error import UsageError
from PIL import Image

from nbdeploy.checkup import Doctor
from nbdeploy.errors import OutputError
from nbdeploy.jupyter import loading


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """The calls of flow.deploy, which does nothing here and returns "bundle"."""
    calls: list[tuple[Any, dict[str, Any]]] = []

    def deploy(model: Any, **keywords: Any) -> str:
        calls.append((model, keywords))
        return "bundle"

    flow = ModuleType("nbdeploy.flow")
    flow.deploy = deploy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nbdeploy.flow", flow)
    return calls


def test_deploy_returns_what_the_python_call_returns(shell: Any, deployed: Any) -> None:
    """The value of the magic is the bundle."""
    shell.run("learn = Learner()")
    assert shell.run("%deploy learn --target tflite") == "bundle"
    assert deployed == [(shell.ns["learn"], {"target": "tflite"})]


def test_deploy_prints_the_python_line_with_only_what_differs(shell: Any, deployed: Any, capsys: Any) -> None:
    """The printed line can be copied."""
    shell.run("learn = Learner()")
    shell.run('%deploy learn --target litert --recipe fp32 --samples 3 -o "my builds/x" --overwrite')
    line = 'nd.deploy(learn, target="tflite", out="my builds/x", samples=3, overwrite=True)'
    assert line == capsys.readouterr().out.splitlines()[0]
    assert {"target": "tflite", "out": "my builds/x", "samples": 3, "overwrite": True} == deployed[0][1]


def test_deploy_without_a_name_takes_the_newest_and_says_so(shell: Any, deployed: Any, capsys: Any) -> None:
    """The newest is the one last made, whatever its place in the namespace."""
    shell.run("old = Learner()")
    shell.run("new = Learner()")
    shell.run("old = Learner()")
    shell.run("%deploy --target onnx")
    assert deployed[0][0] is shell.ns["old"]
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith("using old (resnet18, made by cell 3)")
    assert "%deploy new" in first
    assert 'nd.deploy(old, target="onnx")' == second


def test_the_newest_of_two_made_by_one_cell_is_the_last_assigned(shell: Any, deployed: Any) -> None:
    """A rebound name keeps its old place in the namespace, so the cell's text decides."""
    shell.run("a = b = None")
    shell.run("b = Learner()\na = Learner()")
    shell.run("%deploy --target onnx")
    assert deployed[0][0] is shell.ns["a"]


def test_a_learner_made_earlier_in_the_same_cell_is_found(shell: Any, deployed: Any) -> None:
    """Nothing waits for the end of the cell."""
    shell.run("first = Learner()")
    shell.run("second = Learner()\nr = %deploy --target onnx")
    assert deployed[0][0] is shell.ns["second"]
    assert shell.ns["r"] == "bundle"


def test_learners_made_before_the_extension_was_loaded_count(bare: Any, deployed: Any, capsys: Any) -> None:
    """They are older than any made since."""
    bare.run("a = Learner()")
    bare.run("b = Learner()")
    loading.load(bare.ip)
    bare.run("%deploy --target onnx")
    assert deployed[0][0] is bare.ns["b"]
    assert "made before %load_ext nbdeploy" in capsys.readouterr().out


def test_a_learner_held_only_by_an_output_is_found(shell: Any, deployed: Any, capsys: Any) -> None:
    """Its name is the output's."""
    shell.run("learn = Learner()")
    shown = shell.run("Learner()")
    capsys.readouterr()
    shell.run("%deploy --target onnx")
    assert deployed[0][0] is shown
    assert 'nd.deploy(Out[2], target="onnx")' in capsys.readouterr().out


def test_a_deleted_learner_is_not_taken(shell: Any, deployed: Any) -> None:
    """Only what the notebook still holds is a candidate."""
    shell.run("kept = Learner()")
    shell.run("gone = Learner()")
    shell.run("del gone")
    shell.run("%deploy --target onnx")
    assert deployed[0][0] is shell.ns["kept"]


def test_no_learner_at_all_says_what_to_do(shell: Any, deployed: Any) -> None:
    """One line, and Run All stops."""
    with pytest.raises(UsageError, match=r"no Learner in this notebook\. Train one \(%train DIR\)"):
        shell.run("%deploy --target tflite")
    assert deployed == []


def test_a_misspelt_learner_is_suggested_and_not_run(shell: Any, deployed: Any) -> None:
    """The notebook's own names are what it may have meant."""
    shell.run("learn = Learner()")
    with pytest.raises(UsageError, match='Did you mean "learn"'):
        shell.run("%deploy lern --target tflite")
    assert deployed == []


def test_a_name_of_something_else_says_what_it_is(shell: Any, deployed: Any) -> None:
    """A list is no Learner."""
    shell.run("learn = [1]")
    with pytest.raises(UsageError, match="learn is a list; %deploy takes a Learner, a Program"):
        shell.run("%deploy learn --target tflite")
    assert deployed == []


def test_a_bundle_is_taken_where_a_provider_is_named(
    shell: Any, deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `nd.deploy` takes it; to be converted again is no meaning of a bundle."""

    class Bundle:
        pass

    monkeypatch.setattr("nbdeploy.core.bundle.Bundle", Bundle)
    shell.ns["mine"] = Bundle()
    assert shell.run("%deploy mine --provider local") == "bundle"
    assert deployed == [(shell.ns["mine"], {"provider": "local"})]
    with pytest.raises(UsageError, match="mine is a Bundle; %deploy takes a Learner"):
        shell.run("%deploy mine --target onnx")


def test_a_saved_folder_is_passed_on_as_a_path(shell: Any, deployed: Any, tmp_path: Path) -> None:
    """Also through a variable, by its bare name or expanded."""
    shell.ns["folder"] = tmp_path
    for line in (f"%deploy {tmp_path} --target onnx", "%deploy folder --target onnx", "%deploy $folder --target onnx"):
        shell.run(line)
    assert [str(tmp_path)] * 3 == [model for model, _ in deployed]


def test_names_expand_in_options(shell: Any, deployed: Any) -> None:
    """`{name}` and `$name` stand for the variable's value."""
    shell.run("learn, n, where = Learner(), 4, 'build/y'")
    shell.run("%deploy learn --target onnx --samples {n * 2} --out $where")
    assert {"target": "onnx", "samples": 8, "out": "build/y"} == deployed[0][1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%deploy learn --target tflit", 'no target "tflit". Did you mean "tflite"'),
        ("%deploy learn --target tflite --recip int8", 'no option "--recip". Did you mean "--recipe"'),
        ("%deploy learn --target tflite --recipe static_int", 'Did you mean "static_int8"'),
        ("%deploy learn", "--target is missing"),
        ("%deploy learn --target tflite --samples many", "--samples takes a whole number of at least 0, not many"),
        ('%deploy learn --target tflite --name "half', "No closing quotation"),
        ("%train", "DIR is missing"),
        ("%tune learn --trials 1", "learn is a Learner; a folder of pictures or an ImageSet is needed"),
        ("%train x --valid 2", "--valid takes a share between 0 and 1, not 2"),
        ("%doctor now", "There is no place for now"),
    ],
)
def test_wrong_use_is_one_line_and_nothing_runs(shell: Any, deployed: Any, line: str, said: str) -> None:
    """IPython shows a UsageError as one line and stops Run All."""
    shell.run("learn = Learner()")
    with pytest.raises(UsageError) as caught:
        shell.run(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert deployed == []


@pytest.mark.parametrize("name", ["collect", "train", "deploy", "doctor"])
def test_help_is_printed_and_the_cell_goes_on(shell: Any, name: str, capsys: Any) -> None:
    """--help neither raises nor ends the kernel."""
    shell.run(f"before = 1\n%{name} --help\nafter = 2")
    assert shell.ns["after"] == 2
    printed = capsys.readouterr().out
    assert f"usage: %{name}" in printed
    assert f"  %{name} " in printed.rpartition("example:")[2]


def test_train_reads_the_folder_and_passes_the_options(shell: Any, monkeypatch: Any, capsys: Any) -> None:
    """The split's options go to the ImageSet, the rest to train."""
    read, trained = [], []

    class ImageSet:
        source = ""

        @classmethod
        def from_folder(cls, path: str, **keywords: Any) -> ImageSet:
            read.append((path, keywords))
            return cls()

    def train(images: Any, **keywords: Any) -> str:
        trained.append((images, keywords))
        return "learner"

    for module, values in (
        ("data.imageset", {"ImageSet": ImageSet}),
        ("training.images", {"train": train}),
        ("training.arch", {"find_arch": str, "load_libraries": list}),
    ):
        stub = ModuleType(f"nbdeploy.{module}")
        vars(stub).update(values)
        monkeypatch.setitem(sys.modules, f"nbdeploy.{module}", stub)
    assert shell.run("%train data/x --epochs 2 --no-flip --from-scratch --valid 0.3 --seed 1") == "learner"
    assert [("data/x", {"valid": 0.3, "seed": 1})] == read
    assert {"epochs": 2, "flip": False, "pretrained": False, "seed": 1} == trained[0][1]
    line = capsys.readouterr().out.splitlines()[0]
    assert 'nd.train(nd.ImageSet.from_folder("data/x", valid=0.3, seed=1), epochs=2, ' in line
    shell.ns["pictures"] = ImageSet()
    shell.run("%train pictures --epochs 3")
    assert (shell.ns["pictures"], {"epochs": 3}) == trained[1]
    with pytest.raises(UsageError, match="held out already"):
        shell.run("%train pictures --valid 0.5")
    with pytest.raises(UsageError, match="pictures is taken as it is; --raw is for a folder"):
        shell.run("%train pictures --raw")


def test_train_takes_the_decisions_beside_the_folder_and_raw_leaves_them_out(
    shell: Any, monkeypatch: Any, capsys: Any, tmp_path: Path
) -> None:
    """The printed line gives the same set."""
    import nbdeploy as nd

    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(4):
            Image.new("RGB", (9, 9), (number, len(label), ord(label[0]))).save(tmp_path / label / f"{number}.png")
    nd.Journal(tmp_path).record([nd.Edit(tmp_path / "cat" / "0.png", "exclude")])
    trained = []
    for module, values in (
        ("training.images", {"train": lambda images, **_: trained.append(images)}),
        ("training.arch", {"find_arch": str, "load_libraries": list}),
    ):
        stub = ModuleType(f"nbdeploy.{module}")
        vars(stub).update(values)
        monkeypatch.setitem(sys.modules, f"nbdeploy.{module}", stub)
    shell.run(f"%train {tmp_path}")
    shell.run(f"%train {tmp_path} --raw")
    assert [7, 8] == [len(images) for images in trained]
    shown = capsys.readouterr()
    lines = [line for line in shown.out.splitlines() if line.startswith("nd.train")]
    read = f'nd.ImageSet.from_folder("{tmp_path}")'
    assert [f'nd.train({read}.apply(nd.Journal("{tmp_path}")))', f"nd.train({read}.apply([]))"] == lines
    assert "applying your decisions" in shown.out + shown.err


def test_doctor_returns_what_it_found(shell: Any, capsys: Any) -> None:
    """The object, and the line that gives it."""
    assert isinstance(shell.run("%doctor"), Doctor)
    assert capsys.readouterr().out.startswith("nd.doctor()\n")


def test_an_error_of_the_work_is_shown_in_two_lines(shell: Any, monkeypatch: Any, capsys: Any) -> None:
    """nbdeploy's errors have no traceback in a notebook."""

    def deploy(*_: Any, **__: Any) -> None:
        raise OutputError("build/x exists already.", hint="Pass --overwrite.")

    flow = ModuleType("nbdeploy.flow")
    flow.deploy = deploy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nbdeploy.flow", flow)
    shell.run("learn = Learner()")
    with pytest.raises(OutputError):
        shell.run("%deploy learn --target onnx")
    shown = capsys.readouterr()
    assert "OutputError: build/x exists already.\nPass --overwrite.\n" in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err


def test_loading_twice_is_loading_once_and_unloading_leaves_nothing(bare: Any) -> None:
    """%load_ext and %reload_ext can be run as often as one likes."""
    before = {name: len(calls) for name, calls in bare.ip.events.callbacks.items()}
    matchers = list(bare.ip.Completer.custom_matchers)
    for _ in range(3):
        loading.load(bare.ip)
    assert len(matchers) + 1 == len(bare.ip.Completer.custom_matchers)
    assert before["post_run_cell"] + 1 == len(bare.ip.events.callbacks["post_run_cell"])
    loading.unload(bare.ip)
    assert before == {name: len(calls) for name, calls in bare.ip.events.callbacks.items()}
    assert matchers == bare.ip.Completer.custom_matchers
    assert "deploy" not in bare.ip.magics_manager.magics["line"]


def test_collect_gives_a_collector_of_the_folder(shell: Any, capsys: Any, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    collector = shell.run(f'%collect "{folder}" --classes "cat, dog" --valid 0.3')
    assert ("cat", "dog") == collector.collection.classes
    assert capsys.readouterr().out.startswith(f'nd.Collector("{folder}", classes=["cat", "dog"], valid=0.3)\n')
    assert collector.collection.valid == 0.3


def test_collect_takes_a_variable_that_holds_the_folder(shell: Any, tmp_path: Path) -> None:
    shell.ns["place"] = tmp_path / "birds"
    assert tmp_path / "birds" == shell.run("%collect place").collection.folder


def test_collect_needs_a_folder(shell: Any) -> None:
    with pytest.raises(UsageError, match="DIR is missing"):
        shell.run("%collect")


@pytest.fixture
def cleaned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """The calls of Cleaner, which is a string here."""
    calls: list[tuple[Any, dict[str, Any]]] = []

    def cleaner(images: Any, **keywords: Any) -> str:
        calls.append((images, keywords))
        return "cleaner"

    module = ModuleType("nbdeploy.jupyter.widgets.cleaner")
    module.Cleaner = cleaner  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nbdeploy.jupyter.widgets.cleaner", module)
    return calls


def test_clean_takes_a_folder_as_it_is_and_prints_the_python_line(
    shell: Any, cleaned: Any, tmp_path: Path, capsys: Any
) -> None:
    """One class, broken files: what is no ImageSet yet can be looked through."""
    (tmp_path / "one").mkdir()
    shell.run(f"cleaner = %clean {tmp_path} --seed 7 --journal my.jsonl")
    assert "cleaner" == shell.ns["cleaner"]
    assert [(str(tmp_path), {"journal": "my.jsonl", "seed": 7})] == cleaned
    assert f'nd.Cleaner("{tmp_path}", journal="my.jsonl", seed=7)' == capsys.readouterr().out.strip()


def test_clean_takes_an_imageset_and_a_learner_by_name(shell: Any, cleaned: Any, capsys: Any) -> None:
    """The printed line names both."""
    from nbdeploy.data.imageset import ImageSet

    shell.ns["images"] = ImageSet(())
    shell.run("learn = Learner()")
    shell.run("%clean images --learn learn")
    assert [(shell.ns["images"], {"learn": shell.ns["learn"]})] == cleaned
    assert "nd.Cleaner(images, learn=learn)" == capsys.readouterr().out.splitlines()[0]


def test_clean_refuses_what_is_no_learner_and_suggests_a_near_name(shell: Any, cleaned: Any, tmp_path: Path) -> None:
    """Nothing is looked at before."""
    shell.run("learn, other = Learner(), 3")
    with pytest.raises(UsageError, match='Did you mean "learn"'):
        shell.run(f"%clean {tmp_path} --learn lern")
    with pytest.raises(UsageError, match="other is a int"):
        shell.run(f"%clean {tmp_path} --learn other")
    assert [] == cleaned


def test_clean_completes_its_options_and_the_names_of_learners(shell: Any) -> None:
    """As the other magics do."""
    shell.run("learn = Learner()")
    assert {"--learn", "--journal", "--seed"} <= set(shell.complete("%clean data --"))
    assert ["learn"] == shell.complete("%clean data --learn l")
