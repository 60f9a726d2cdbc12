"""The rules of the house that no single part could hold by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "fastai", "timm", "IPython", "numpy", "pandas", "PIL", "onnx", "litert_torch")
LONGEST = 400


def test_the_licence_is_there_in_full(root: Path) -> None:
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_package_says_that_it_is_typed(root: Path) -> None:
    assert (root / "nbdeploy" / "py.typed").is_file()


def test_no_file_is_too_long_to_read(root: Path) -> None:
    files = [f for f in (root / "nbdeploy").rglob("*") if f.suffix in {".py", ".j2", ".css", ".js"}]
    lengths = {str(f.relative_to(root)): len(f.read_text(encoding="utf-8").splitlines()) for f in files}
    assert {} == {name: n for name, n in lengths.items() if n > LONGEST}


def test_notebooks_are_kept_without_outputs(root: Path) -> None:
    left = []
    for file in sorted((root / "notebooks").glob("*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        left += [f"{file.name} cell {n}" for n, c in enumerate(cells) if c.get("outputs") or c.get("execution_count")]
    assert [] == left, "type: .venv/bin/jupyter nbconvert --clear-output --inplace notebooks/*.ipynb"


def _loaded(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["", ".errors", ".registry", ".options", ".cli"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    assert set() == _loaded(f"import nbdeploy{module}")


def test_listing_the_public_names_loads_nothing_heavy() -> None:
    assert set() == _loaded("import nbdeploy\ndir(nbdeploy)")


def test_the_public_names_are_the_promised_ones() -> None:
    import nbdeploy

    promised = [
        "RECIPES",
        "Advice",
        "Bundle",
        "Check",
        "Cleaner",
        "Collector",
        "Edit",
        "Endpoint",
        "Finding",
        "ImageSet",
        "Journal",
        "LearnReport",
        "Pipeline",
        "Plan",
        "Prediction",
        "Program",
        "RateCurve",
        "Recipe",
        "Report",
        "Ship",
        "Signature",
        "Table",
        "Texts",
        "__version__",
        "advise",
        "audit",
        "compare",
        "dataset",
        "deploy",
        "doctor",
        "endpoints",
        "errors",
        "export",
        "find_lr",
        "init",
        "learn_report",
        "pretrained",
        "runs",
        "train",
        "tune",
        "verify",
    ]
    assert promised == nbdeploy.__all__


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    import nbdeploy

    assert [] == [name for name in nbdeploy.__all__ if not (getattr(nbdeploy, name).__doc__ or "").strip()]


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    import nbdeploy

    with pytest.raises(AttributeError, match="depoly"):
        nbdeploy.depoly  # noqa: B018 - the access is the test


def _wheel(source: Path, to: Path) -> set[str]:
    from hatchling.builders.wheel import WheelBuilder

    (made,) = WheelBuilder(str(source)).build(directory=str(to), versions=["standard"])
    with zipfile.ZipFile(made) as wheel:
        return set(wheel.namelist())


def test_the_wheel_holds_the_cards_the_tutorials_and_what_is_copied_into_bundles(root: Path, tmp_path: Path) -> None:
    names = _wheel(root, tmp_path)
    assert {f"nbdeploy/_cards/{f.name}" for f in (root / "datasets").glob("*.toml")} <= names
    assert {f"nbdeploy/_notebooks/{f.name}" for f in (root / "notebooks").glob("*.ipynb")} <= names
    endings = {".py", ".typed", ".j2", ".css", ".js", ".kt", ".kts", ".xml", ".toml", ".properties"}
    kept = [f for f in (root / "nbdeploy").rglob("*") if f.suffix in endings]
    assert {f.relative_to(root).as_posix() for f in kept} <= names
    assert "nbdeploy/_cards/digits.toml" in names


def test_what_running_a_tutorial_leaves_is_not_in_the_wheel(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    files = (
        "nbdeploy/__init__.py",
        "datasets/a.toml",
        "notebooks/a.ipynb",
        "notebooks/build/model.tflite",
        "notebooks/a.png",
    )
    for name in files:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    for name in ("pyproject.toml", "LICENSE", "tools/wheel.py"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, source / name)
    (source / "README.md").touch()
    held = {name for name in _wheel(source, tmp_path) if name.startswith("nbdeploy/")}
    assert {"nbdeploy/__init__.py", "nbdeploy/_cards/a.toml", "nbdeploy/_notebooks/a.ipynb"} == held
