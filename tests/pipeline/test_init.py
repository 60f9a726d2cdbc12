"""nbdeploy init: a project for somebody's own data, which runs as it stands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

import nbdeploy as nd
from nbdeploy import cli
from nbdeploy.errors import DataError, OutputError, UnknownName, UsageError
from nbdeploy.options import VERBS
from nbdeploy.pipeline.spec import read_spec
from tests.pipeline.conftest import write_pictures

FILES = [
    "pipeline.yaml",
    "pipeline.schema.json",
    "pets.ipynb",
    ".github/workflows/deploy.yml",
    "README.md",
    "requirements.txt",
    ".gitignore",
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with pictures in ``pets/data``."""
    write_pictures(tmp_path / "pets" / "data", each=12)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_a_project_and_says_what_to_type_next(place: Path, capsys: Any) -> None:
    assert cli.main(["init", "pets", "--data", "pets/data", "--target", "onnx"]) == 0
    said = capsys.readouterr().out
    assert "a project for 36 pictures of 3 classes." in said
    assert "Fewer than 20 pictures of blue, green, red: expect little of it" in said
    assert said.endswith("Next:\n  cd pets && jupyter lab pets.ipynb\n  cd pets && nbdeploy run pipeline.yaml\n")
    assert set(FILES) == {
        file.relative_to(place / "pets").as_posix()
        for file in (place / "pets").rglob("*")
        if file.is_file() and file.suffix != ".png"
    }


def test_the_pipeline_is_for_the_data(place: Path) -> None:
    nd.init("pets", data="pets/data", target="onnx")
    text = (place / "pets" / "pipeline.yaml").read_text()
    spec = read_spec(text, place / "pets", "pipeline.yaml")
    assert (spec.name, spec.data, spec.train["size"], spec.train["pretrained"]) == (
        "pets",
        {"from": "data", "valid": 0.2},
        64,
        False,
    )
    assert [one.label for one in spec.bundles] == ["onnx-fp32", "onnx-static_int8"]
    # What is only there as a remark can be taken in as it stands.
    more = re.sub(r"^( *)# (- \{|fail_on|flip|accuracy|size_bytes)", r"\1\2", text, flags=re.MULTILINE)
    assert more.count("#") < text.count("#")
    again = read_spec(more, place / "pets", "pipeline.yaml")
    assert again.bundles[-1].place.endpoint == "pets"
    assert len(again.gates) == 3


def test_nothing_is_overwritten_and_then_nothing_is_written(place: Path) -> None:
    (place / "pets" / "README.md").write_text("mine")
    with pytest.raises(OutputError, match=r"pets holds README\.md already; nothing was written"):
        nd.init("pets", data="pets/data")
    assert [file.name for file in (place / "pets").iterdir() if file.is_file()] == ["README.md"]
    assert (place / "pets" / "README.md").read_text() == "mine"


def test_the_workflow_is_one_and_its_commands_are_ours(place: Path) -> None:
    nd.init("pets", data="pets/data", target="onnx", name="My Pets")
    flow = yaml.safe_load((place / "pets" / ".github" / "workflows" / "deploy.yml").read_text())
    assert set(flow) == {"name", True, "permissions", "concurrency", "jobs"}  # YAML 1.1 reads `on` as true
    assert {"push", "pull_request", "workflow_dispatch"} == set(flow[True])
    assert {"contents": "read"} == flow["permissions"]
    (job,) = flow["jobs"].values()
    assert {"runs-on", "timeout-minutes", "steps"} == set(job)
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    uses = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    assert ["actions/checkout", "actions/setup-python", "actions/cache/restore", "actions/cache/save"] == uses[:4]
    assert uses[4:] == ["actions/upload-artifact"]
    ours = [step["run"] for step in job["steps"] if step.get("run", "").startswith("nbdeploy ")]
    assert ["nbdeploy run pipeline.yaml --dry-run", "nbdeploy run pipeline.yaml"] == ours
    for command in ours:
        args = cli.parser().parse_args(shlex.split(command)[1:])
        assert args.verb in VERBS
        assert (place / "pets" / args.file).is_file()
        assert not args.provide
    assert "build/My-Pets-onnx*" in job["steps"][-1]["with"]["path"]
    # Without a run in between, what is kept is what the pipeline keeps.
    kept = [step["with"]["path"].split() for step in job["steps"] if "cache/" in step.get("uses", "")]
    assert kept[0] == kept[1] == [".nbdeploy", "build", "~/.cache/torch"]


def test_every_command_of_the_readme_is_one(place: Path) -> None:
    nd.init("pets", data="pets/data", target="coreml")
    text = (place / "pets" / "README.md").read_text()
    commands = re.findall(r"^    nbdeploy (.+)$|`nbdeploy ([^`]+)`", text, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        cli.parser().parse_args(shlex.split("".join(command)))
    assert (place / "pets" / "requirements.txt").read_text().startswith("nbdeploy[coreml]>=")


def test_the_notebook_is_valid_and_without_outputs(place: Path) -> None:
    nd.init("pets", data="pets/data", target="onnx", name='a "b"')
    (file,) = (place / "pets").glob("*.ipynb")
    book = nbformat.read(file, as_version=4)
    nbformat.validate(book)
    assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in book.cells)
    assert book.cells[0].source.startswith("# ")
    assert book.cells[1].metadata.tags == ["parameters"]
    assert [cell.cell_type for cell in book.cells].count("code") >= 8


def test_a_table_is_known_by_what_its_columns_hold(place: Path) -> None:
    rows = [f"data/{label}/{index}.png,{index},{label}" for label in ("blue", "red") for index in range(12)]
    (place / "pets" / "list.csv").write_text("\n".join(["file,number,species", *rows]))
    project = nd.init("pets", data="pets/list.csv", target="onnx")
    assert project.data.counts == {"blue": 12, "red": 12}
    spec = read_spec((place / "pets" / "pipeline.yaml").read_text(), place / "pets", "pipeline.yaml")
    assert spec.data == {"from": "list.csv", "path": "file", "label": "species", "valid": 0.2}
    text = (place / "pets" / "pets.ipynb").read_text()
    assert 'nd.ImageSet.from_csv(data, path_column=\\"file\\", label_column=\\"species\\")' in text


def test_what_no_classifier_can_be_made_of_is_said(place: Path) -> None:
    shutil.rmtree(place / "pets" / "data" / "red")
    shutil.rmtree(place / "pets" / "data" / "green")
    (place / "a.csv").write_text("x,y\n1,2\n")
    for data, error, said in [
        ("pets/data", DataError, "holds only one class, blue"),
        ("pets", DataError, "holds only one class, data"),
        ("nowhere", DataError, "There is no .*nowhere"),
        ("a.csv", UsageError, "No column of .*a.csv names pictures that are there"),
    ]:
        with pytest.raises(error, match=said):
            nd.init("new", data=data)
    with pytest.raises(UnknownName, match='Did you mean "tflite"'):
        nd.init("new", data="pets/data", target="tflit")
    assert not (place / "new").exists()


def test_large_photos_uneven_classes_and_data_elsewhere_are_told_apart(place: Path) -> None:
    from PIL import Image

    for index in range(30):
        path = place / "photos" / ("cat" if index % 15 else "dog") / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (640, 480)).save(path)
    project = nd.init("new", data="photos", target="tflite")
    assert project.data.side is None
    said = " ".join(project.data.remarks)
    assert "28 pictures of cat and 2 of dog: the model will favour cat" in said
    assert "The data lies outside" in said
    text = (place / "new" / "pipeline.yaml").read_text()
    assert 'from: "../photos"' in text
    assert "pretrained" not in text
    assert "a project for 30 pictures of 2 classes" in str(project)
    assert "<table" in project._repr_html_()


def test_data_of_any_name_is_named_in_the_notebook_as_python_takes_it(place: Path) -> None:
    name = 'the "best" pets \\ 🐈'
    (place / "pets" / "data").rename(place / "pets" / name)
    nd.init("pets", data=f"pets/{name}", target="onnx")
    book = nbformat.read(place / "pets" / "pets.ipynb", as_version=4)
    found: dict[str, Any] = {}
    exec(book.cells[1].source, found)
    assert found["data"] == name
    assert read_spec((place / "pets" / "pipeline.yaml").read_text(), place / "pets", "").data["from"] == name


def test_nothing_is_written_among_the_data_or_that_cannot_be_run(place: Path) -> None:
    for folder in ("pets/data", "pets/data/project"):
        with pytest.raises(OutputError, match=r"would lie among the data; nothing was written\.\nChoose a"):
            nd.init(folder, data="pets/data", target="onnx")
    with pytest.raises(UsageError, match="seed takes a whole number of at least 0, not 4294967296"):
        nd.init("pets", data="pets/data", target="onnx", seed=2**32)
    assert {file.suffix for file in (place / "pets").rglob("*") if file.is_file()} == {".png"}


def test_the_readme_asks_to_commit_only_what_lies_in_the_project(place: Path) -> None:
    nd.init("pets", data="pets/data", target="onnx")
    text = (place / "pets" / "README.md").read_text()
    assert "A model that tells blue, green and red apart" in text
    assert "`data`: commit it, or fetch it in a step before the run." in text
    nd.init("new", data="pets/data", target="onnx")
    assert "`../pets/data`: fetch it in a step before the run." in (place / "new" / "README.md").read_text()


def test_git_passes_over_our_locks_and_not_over_those_of_package_managers(place: Path) -> None:
    nd.init("pets", data="pets/data", target="onnx")
    lines = (place / "pets" / ".gitignore").read_text().split()
    ignored = [one for one in (".decisions.jsonl.lock", "uv.lock") if any(fnmatch(one, line) for line in lines)]
    assert ignored == [".decisions.jsonl.lock"]


@pytest.mark.slow
def test_a_project_runs_from_end_to_end_and_so_does_its_notebook(place: Path, root: Path, monkeypatch: Any) -> None:
    """With nothing stubbed: pictures to verified bundles by the command, then the notebook in a kernel."""
    import nbclient

    nd.init("pets", data="pets/data", target="onnx")
    home = place / "pets"
    file = home / "pipeline.yaml"
    text = file.read_text().replace("resnet18", "squeezenet1_1").replace("epochs: 20", "epochs: 1\n  augment: false")
    text = text.replace("[fp32, static_int8]", "fp16\n    latency_runs: 0\n    samples: 2")
    file.write_text(text)
    monkeypatch.chdir(home)
    assert cli.main(["run", "pipeline.yaml"]) == 0
    assert cli.main(["run", "pipeline.yaml", "--check"]) == 0
    result = nd.Pipeline.load("pipeline.yaml").run()
    assert list(result.bundles) == ["onnx-fp16"]
    bundle = result.bundles["onnx-fp16"]
    assert bundle.report.compared
    assert bundle.path == home / "build" / "pets-onnx"
    assert bundle.predict("data/red/1.png").label in {"blue", "green", "red"}
    assert result.model.signature.labels == ("blue", "green", "red")
    assert result.steps["train"].figures["held_out"] == 6

    book = nbformat.read(home / "pets.ipynb", as_version=4)
    for cell in book.cells:
        cell.source = cell.source.replace("epochs = 20", "epochs = 1").replace("resnet18", "squeezenet1_1")
        cell.source = cell.source.replace("accuracy_at_least = 0.33", "accuracy_at_least = 0.0")
        cell.source = cell.source.replace("overwrite=True)", "overwrite=True, latency_runs=0)")
    monkeypatch.setenv("PYTHONPATH", str(root))
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(home)}}).execute()
    html = json.dumps(book.cells[-1].outputs)
    assert "everything stands" in html
    assert "up to date" in html
