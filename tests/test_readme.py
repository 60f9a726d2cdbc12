"""What README and docs say of make, of names and of the registry holds; tests/docs runs the commands that they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nbdeploy as nd
from nbdeploy import registry

PAGES = ("README.md", "docs/architecture.md", "docs/adding-a-target.md", "docs/figures.md", "notebooks/README.md")


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return "\n".join((root / page).read_text(encoding="utf-8") for page in PAGES)


def test_every_make_target_is_in_the_makefile(text: str, root: Path) -> None:
    offered = set(re.findall(r"^([a-z]+):.*## ", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "lab", "check", "bench"} <= offered
    assert set(re.findall(r"`make ([a-z]+)", text)) <= offered


def test_every_public_name_it_uses_exists(text: str) -> None:
    names = set(re.findall(r"\bnd\.(\w+)\(", text))
    assert {"deploy", "export"} <= names
    assert names <= set(nd.__all__)


def test_the_table_of_targets_is_the_registry(root: Path) -> None:
    rows = re.findall(r"^\| `(\w+)`.*?\| ([\w, ]+) \|", _section(root, "Targets"), re.MULTILINE)
    assert {name: set(registry.targets.load(name).recipes) for name in registry.targets.own} == {
        name: set(recipes.split(", ")) for name, recipes in rows
    }


def test_the_table_of_providers_is_the_registry(root: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| ([\w-]+)", _section(root, "Providers"), re.MULTILINE)
    assert {name: registry.providers.load(name).status_here for name in registry.providers.own} == dict(rows)


def _section(root: Path, title: str) -> str:
    return (root / "README.md").read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
