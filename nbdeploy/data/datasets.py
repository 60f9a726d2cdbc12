"""Named data sets as folders of pictures."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from nbdeploy.core.files import new_folder, write_json
from nbdeploy.core.progress import track
from nbdeploy.data.arrange import arrange
from nbdeploy.data.cards import Card, card, dataset_cards
from nbdeploy.data.digits import write_digits
from nbdeploy.errors import DataError, MissingExtra, OutputError

__all__ = ["Card", "dataset", "dataset_cards"]

MARKER = ".nbdeploy-dataset.json"
"""Written last into the folder: the data set's name, checksum and number of pictures."""


def dataset(name: str, out: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> Path:
    """Make the data set `name` a folder, one folder a class, and return its path.

    `out` is ``data/NAME`` unless given. A folder that holds the data set already is returned as it is; `overwrite`
    makes it again, and replaces nothing but a folder that this function made. ``digits`` works offline; the others
    are fetched by fastai into its own cache first. Raises UnknownName, DataError (no internet, damaged data) or
    OutputError.
    """
    chosen = card(name)
    folder = Path(os.path.abspath(out if out is not None else Path("data") / name))
    made = _made(folder)
    if made == (chosen.name, chosen.checksum) and not overwrite:
        return folder
    if folder.is_dir() and any(folder.iterdir()) and made is None:
        raise OutputError(
            f"{folder} exists and is not a data set that nbdeploy made.", hint="Choose another folder with -o / out=."
        )
    if made and made[0] != chosen.name:
        raise OutputError(f"{folder} holds the data set {made[0]}.", hint="Choose another folder with -o / out=.")
    with new_folder(folder, overwrite=folder.is_dir()) as work:
        files = _LOADERS[chosen.loader](chosen, work)
        write_json(work / MARKER, {"name": chosen.name, "checksum": chosen.checksum, "files": files})
    return folder


def _made(folder: Path) -> tuple[str, str] | None:
    """Name and checksum of the data set that the folder's marker names."""
    try:
        marker = json.loads((folder / MARKER).read_text("utf-8"))
        return str(marker["name"]), str(marker["checksum"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_fetched(chosen: Card, folder: Path) -> int:
    tree = _fetch(chosen)
    placed = list(arrange(tree, chosen.arrange))
    if not placed:
        raise DataError(
            f"The fetched data set {chosen.name} holds no pictures ({tree}).",
            hint="Remove that folder to fetch it again.",
        )
    for place in {folder / side / label for _, side, label in placed}:
        place.mkdir(parents=True, exist_ok=True)
    for path, side, label in track(placed, f"copying {chosen.name}"):
        shutil.copyfile(path, folder / side / label / path.name)  # a link would let edits reach fastai's own copy
    return len(placed)


def _fetch(chosen: Card) -> Path:
    """The copy of the data set in fastai's cache, downloaded if it is not there."""
    try:
        from fastai.data.external import URLs, untar_data  # noqa: PLC0415 - loads torch
    except ModuleNotFoundError as error:
        raise MissingExtra(f"The data set {chosen.name}", error.name or "fastai", "") from error
    try:
        return Path(untar_data(getattr(URLs, chosen.url)))
    except Exception as error:  # fastai raises plain Exception for a damaged download
        raise DataError(
            f"The data set {chosen.name} could not be fetched ({type(error).__name__}: {error}).",
            hint=f"It needs internet, for {chosen.bytes / 1e6:,.0f} MB once. The data set digits works offline.",
        ) from error


_LOADERS: dict[str, Callable[[Card, Path], int]] = {"digits": write_digits, "fastai": _write_fetched}
