"""Imports go down only; who may know torch, fastai and IPython is written here, and held."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

LAYERS = (
    {"errors", "registry", "templates"},
    {"core"},
    {"tracking"},
    {"data", "training", "exporting", "compress", "targets", "verification", "serve", "providers", "release"},
    {"building", "launch", "model"},
    {"flow"},
    {"advising", "tuning"},
    {"pipeline"},
    {""},  # nbdeploy itself: the public names
    {"options", "questions", "parsing", "demo", "checkup", "shipping"},
    {"jupyter", "cli", "verbs", "__main__"},
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

STRANGERS = {
    "targets": {"verification", "training", "data"},
    "serve": {"targets", "training", "exporting", "compress", "verification"},
    "providers": {"targets", "training", "exporting", "compress", "verification"},
}
"""Packages of one layer that must not know one another."""

ONLY_IN = {
    "IPython": {"jupyter"},
    "traitlets": {"jupyter"},
    "anywidget": {"jupyter"},
    "ipywidgets": {"jupyter"},
    "fastai": {"training", "exporting", "data.datasets"},
    "torch": {
        "training",
        "exporting",
        "compress",
        "targets",
        "verification",
        "flow",
        "demo",
        "checkup",
        "templates.python.runtimes",
    },
    "torchvision": {"training", "exporting", "compress"},
    "timm": {"training", "exporting"},
}
"""Third-party packages, and the only parts of nbdeploy that may import them, lazily or not."""

LAZILY = {
    "torch",
    "torchvision",
    "fastai",
    "timm",
    "onnx",
    "optuna",
    "litert_torch",
    "sklearn",
    "pandas",
    "matplotlib",
    "jupyterlab",
    "openvino",
    "nncf",
    "executorch",
    "torchao",
}
"""Heavy packages, which are imported inside the function that needs them ..."""

EAGER = {"training", "exporting", "compress"}
"""... but for these parts, which are loaded only to work with a model (as the runtimes of bundles are)."""

COPIED = "serve.endpoint"
"""What is copied into bundles beside the templates."""

HOST_CODE = {"numpy", "PIL", "onnxruntime", "ai_edge_litert", "openvino", "executorch", "torch"}
"""What the code copied into a bundle may import beside the standard library and its own files."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    place: str
    """The importing module without the leading ``nbdeploy.``; empty for nbdeploy itself."""
    line: int
    module: str
    lazy: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.place or 'nbdeploy'}:{self.line} imports {self.module}"


def _typing_only(tree: ast.Module) -> set[int]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    return {id(n) for block in blocks for inner in block.body for n in ast.walk(inner)}


def _names(node: ast.Import | ast.ImportFrom, package: str, root: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([node.module] if node.module else [])])
    inside = root.parent.joinpath(*base.split("."))
    for alias in node.names:
        # `from nbdeploy.core import files` names a module, `from nbdeploy.core.files import Staging` does not.
        a_module = (inside / alias.name).is_dir() or (inside / f"{alias.name}.py").is_file()
        yield f"{base}.{alias.name}" if a_module else base


def imports(root: Path) -> list[Import]:
    """Every import of the package at `root`, also those inside functions and for type checkers."""
    found = []
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root.parent).with_suffix("").parts
        package = ".".join(parts[:-1])
        place = ".".join(p for p in parts[1:] if p != "__init__")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        typing, at_import = _typing_only(tree), set(map(id, tree.body))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                lazy = id(node) not in at_import
                names = _names(node, package, root)
                found += [Import(place, node.lineno, name, lazy, id(node) in typing) for name in names]
    return found


def _within(place: str, parts: Iterable[str]) -> bool:
    return any(place == part or place.startswith(f"{part}.") for part in parts)


def wrong(one: Import, own: str = "nbdeploy") -> str:
    """What is wrong with an import, or nothing."""
    package, _, rest = one.module.partition(".")
    here, there = one.place.split(".")[0], rest.split(".")[0]
    if package == own:
        unknown = [part for part in (here, there) if part not in RANK]
        rules = (
            (
                (here == "templates" and there != here)
                or (_within(one.place, [COPIED]) and not _within(rest, [COPIED])),
                "what is copied into bundles runs without nbdeploy",
            ),
            (unknown, f"LAYERS does not say where {', '.join(unknown)} stands"),
            # nbdeploy itself only opens the doors, lazily; a test of the house holds that.
            (here and RANK.get(there, 0) > RANK.get(here, 0), "imports go down only"),
            (there in STRANGERS.get(here, ()), f"{here} must not know {there}"),
        )
    elif package in sys.stdlib_module_names or one.typing:
        return ""
    else:
        may = sorted(ONLY_IN.get(package, ()))
        host = one.place.startswith("templates.python")
        rules = (
            (host and package not in HOST_CODE, f"host code needs only {', '.join(sorted(HOST_CODE))}"),
            (may and not _within(one.place, may), f"only {', '.join(may)} may"),
            (
                package in LAZILY and not (here in EAGER or host) and not one.lazy,
                "a heavy package is imported inside the function that needs it",
            ),
        )
    return next((f"{one}: {text}" for broken, text in rules if broken), "")


def circles(found: list[Import], own: str = "nbdeploy") -> list[str]:
    """Pairs of packages that import one another, directly or over others."""
    arrows: dict[str, set[str]] = {}
    for one in found:
        package, _, rest = one.module.partition(".")
        here, there = one.place.split(".")[0], rest.split(".")[0]
        if package == own and here != there and here and there:
            arrows.setdefault(here, set()).add(there)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            new = arrows.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        return seen

    return sorted(f"{a} and {b}" for a in arrows for b in reached(a) if a < b and a in reached(b))


def test_imports_go_down_only_and_heavy_packages_stay_in_their_place(root: Path) -> None:
    assert [] == [text for one in imports(root / "nbdeploy") if (text := wrong(one))]


def test_no_two_packages_import_one_another(root: Path) -> None:
    assert [] == circles(imports(root / "nbdeploy"))


FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import "


@pytest.mark.parametrize(
    ("file", "code", "says"),
    [
        ("core/files.py", "def f():\n    from nbdeploy.verification import html", "imports go down only"),
        ("verification/html.py", "from nbdeploy import flow", "imports go down only"),
        ("verification/html.py", "from nbdeploy import deploy", "imports go down only"),
        ("data/scan.py", "from ..flow import deploy", "imports go down only"),
        ("targets/onnx.py", "from ..verification import html", "targets must not know verification"),
        ("providers/ssh.py", "from nbdeploy.targets import onnx", "providers must not know targets"),
        ("oddments.py", "import nbdeploy.core.files", "LAYERS does not say where oddments stands"),
        (
            "core/files.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nbdeploy.flow",
            "go down only",
        ),
        ("core/files.py", "def f():\n    import torch", "may"),
        ("serve/app.py", "def f():\n    import torch", "may"),
        ("verification/html.py", "def f():\n    from IPython.display import HTML", "only jupyter may"),
        ("verification/html.py", "def f():\n    from fastai.learner import Learner", "may"),
        ("targets/onnx.py", "import torch", "inside the function that needs it"),
        ("templates/python/predict.py", "import nbdeploy.errors", "runs without nbdeploy"),
        ("templates/python/predict.py", "import requests", "host code needs only"),
        ("serve/endpoint/app.py", "from nbdeploy.errors import NbdeployError", "runs without nbdeploy"),
        ("serve/endpoint/app.py", "from ..site import site", "runs without nbdeploy"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, code: str, says: str) -> None:
    _tree(tmp_path, {file: code})
    (text,) = [text for one in imports(tmp_path / "nbdeploy") if (text := wrong(one))]
    assert says in text


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("verification/html.py", "from nbdeploy.core.files import Staging\nfrom ..errors import NbdeployError"),
        ("flow.py", "from nbdeploy import verification"),
        ("jupyter/magics.py", "import IPython\nimport nbdeploy\nfrom nbdeploy import deploy"),
        ("targets/onnx.py", "def f():\n    import torch"),
        ("training/images.py", "from fastai.vision.all import vision_learner"),
        (
            "verification/html.py",
            FOR_TYPES + "fastai.learner",
        ),
        ("templates/python/predict.py", "import json\nimport numpy\nfrom PIL import Image"),
        ("serve/endpoint/app.py", "from .pool import Pool\nimport starlette"),
        ("__init__.py", "def __getattr__(name):\n    from nbdeploy import flow"),
    ],
)
def test_a_right_import_is_let_through(tmp_path: Path, file: str, code: str) -> None:
    _tree(tmp_path, {file: code})
    assert [] == [text for one in imports(tmp_path / "nbdeploy") if (text := wrong(one))]


def test_a_circle_over_a_third_package_is_found(tmp_path: Path) -> None:
    _tree(
        tmp_path,
        {
            "data/scan.py": "import nbdeploy.training.images",
            "training/images.py": "from nbdeploy import exporting",
            "exporting/graph.py": "def f():\n    from nbdeploy.data import scan",
        },
    )
    assert ["data and exporting", "data and training", "exporting and training"] == circles(
        imports(tmp_path / "nbdeploy")
    )


def _tree(folder: Path, files: dict[str, str]) -> None:
    always = ("__init__.py", "flow.py", "errors.py", "core/files.py", "verification/html.py", "exporting/graph.py")
    for name, code in {**dict.fromkeys(always, ""), **files}.items():
        file = folder / "nbdeploy" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
