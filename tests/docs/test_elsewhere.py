"""A tutorial runs on Colab and Binder: its first cell installs only what is missing, and environment.yml serves it."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CONDA = {"pytorch": "torch"}
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def installed_by(source: str, monkeypatch: pytest.MonkeyPatch, *, there: bool) -> list[str]:
    """What the cell gives to %pip, where nbdeploy is there and where it is not."""
    import importlib.util

    asked: list[str] = []
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.register_magic_function(asked.append, "line", "pip")
    if not there:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    shell.run_cell(source).raise_error()
    InteractiveShell.clear_instance()
    return asked


@each
def test_the_first_cell_does_nothing_where_nbdeploy_is_installed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [] == installed_by(sources(path)[0], monkeypatch, there=True)


@each
def test_the_first_cell_installs_nbdeploy_where_it_is_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ["install -q nbdeploy"] == installed_by(sources(path)[0], monkeypatch, there=False)


@each
def test_the_environment_of_binder_names_every_package_that_it_imports(path: Path, root: Path) -> None:
    listed = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = next(one["pip"] for one in listed if isinstance(one, dict))
    names = {one.split("=")[0].split(">")[0] for one in listed if isinstance(one, str)}
    served = {canonicalize_name(CONDA.get(name, name)) for name in names}
    served |= {canonicalize_name(Requirement(one).name) for one in pip if not one.startswith("-")} | {"nbdeploy"}
    trees = [ast.parse(TransformerManager().transform_cell(source)) for source in sources(path)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    used |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    of = packages_distributions()
    asked = {
        canonicalize_name(of[name][0]) for name in used - sys.stdlib_module_names if name in of and name != "nbdeploy"
    }
    assert set() == asked - served
    assert not [name for name in used - sys.stdlib_module_names - {"nbdeploy"} if name not in of]


def test_binder_needs_nothing_beside_environment_yml(root: Path) -> None:
    folders = [root, root / "binder", root / ".binder"]
    assert not [
        f"{folder}/{name}"
        for folder in folders
        for name in ("Dockerfile", "postBuild", "apt.txt")
        if (folder / name).exists()
    ]
    assert "-e ." in (root / "environment.yml").read_text(encoding="utf-8")
