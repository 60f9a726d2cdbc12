"""Turn a fetched tree into (picture, split, label): one reader for each way in which such trees are laid out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nbdeploy.data.listing import EXTENSIONS
from nbdeploy.errors import DataError

Placed = tuple[Path, str, str]
"""Picture, folder of its side ("" where there is no split), label."""


def arrange(tree: Path, how: dict[str, Any]) -> Iterator[Placed]:
    """The pictures of `tree` as the card's `how` reads them. Raises DataError when the tree is laid out otherwise."""
    return _KINDS[how["kind"]](tree, how)


def _by_name(tree: Path, how: dict[str, Any]) -> Iterator[Placed]:
    """The label is the first group of `pattern` in the file's name."""
    pattern = re.compile(how["pattern"])
    for path in _pictures(_folder(tree, how["folder"])):
        if match := pattern.match(path.name):
            yield path, "", match[1]


def _by_list(tree: Path, how: dict[str, Any]) -> Iterator[Placed]:
    """Text files of lines ``path number``; the number is the place in `labels`."""
    labels: list[str] = how["labels"]
    for name in how["lists"]:
        for line in _text(tree / name).splitlines():
            path, _, number = line.strip().rpartition(" ")
            if not path:
                continue
            place = tree / path
            if ".." in Path(path).parts or not number.isdigit() or int(number) >= len(labels):
                raise DataError(f'"{line[:80]}" in {name} is not a picture of this data set.')
            yield place, "", labels[int(number)]


def _by_folder(tree: Path, how: dict[str, Any]) -> Iterator[Placed]:
    """``SIDE/LABEL/picture``; `sides` says which folder becomes train and which valid, `names` renames labels."""
    names: dict[str, str] = how.get("names", {})
    for theirs, ours in how["sides"].items():
        for folder in sorted(_folder(tree, theirs).iterdir()):
            if folder.is_dir() and not folder.name.startswith("."):
                for path in _pictures(folder):
                    yield path, ours, names.get(folder.name, folder.name)


_KINDS: dict[str, Callable[[Path, dict[str, Any]], Iterator[Placed]]] = {
    "by_folder": _by_folder,
    "by_list": _by_list,
    "by_name": _by_name,
}


def _pictures(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)
    return sorted(path for path in found if not path.name.startswith("."))


def _folder(tree: Path, name: str) -> Path:
    folder = tree / name
    if not folder.is_dir():
        raise DataError(
            f"The fetched data set has no folder {name} ({tree}).", hint="Remove that folder to fetch it again."
        )
    return folder


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise DataError(
            f"The fetched data set has no list {path.name} ({path.parent}).",
            hint="Remove that folder to fetch it again.",
        ) from error
