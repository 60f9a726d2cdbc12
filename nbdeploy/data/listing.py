"""Find the files of a folder and read their labels off the folders they lie in. Nothing is opened here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from nbdeploy.data.records import SPLIT_NAMES, Candidate, SetAside, Split, count, names, shown
from nbdeploy.errors import DataError

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .gif .bmp .tif .tiff .webp .avif .jp2 .ppm .pgm .pbm .pnm .tga"
    " .heic .heif".split()  # they are set aside by name, which is better than not being seen
)
_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
_JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@dataclass
class Listing:
    """Candidates of one source, and what was left out on the way to them."""

    root: Path
    source: str
    candidates: list[Candidate] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Kind -> number of files that were passed over."""
    folders: set[str] = field(default_factory=set)
    """The labels that have a folder, with pictures or without."""
    remarks: list[str] = field(default_factory=list)
    """Warnings to give once the set is made."""


def list_folder(path: Path, *, exts: Iterable[str] | None = None, source: str = "", loose: bool = False) -> Listing:
    """The pictures below `path`: the first folder below it is the label, whatever lies deeper.

    Where `path` holds a train folder and one named valid, val, validation or test (in any case), these decide the
    split and the label is the next folder. Pictures go by their extension (`exts`, or `EXTENSIONS`); a file without
    one is taken when its first bytes are a picture's. With `loose`, pictures in no class folder are
    candidates too, without a label. Raises DataError when there is no such folder.
    """
    root = Path(os.path.abspath(path))  # links stay as the person gave them
    if not root.is_dir():
        raise _no_folder(root)
    wanted = EXTENSIONS if exts is None else frozenset(f".{ext.lower().lstrip('.')}" for ext in exts)
    listing = Listing(root, source or str(root))
    sides = _sides(root)
    for split, folder in sides or [(None, root)]:
        _list_labels(folder, split, wanted, listing, sniff=exts is None, loose=loose)
    if sides:
        inside = {folder.name for _, folder in sides}
        beside = [entry.name for entry in _entries(root) if _is_folder(entry) and entry.name not in inside]
        if beside:
            listing.remarks.append(
                f"{names(sorted(map(shown, beside)))} beside {' and '.join(sorted(inside))} left out: "
                "the train and valid folders decide what is used."
            )
    listing.candidates.sort(key=lambda candidate: candidate.name)
    return listing


def only_folder(root: Path) -> Path:
    """`root`, or the one folder it holds, and so on down: archives often pack one folder around the class folders."""
    while True:
        entries = list(_entries(root))
        folders = [Path(entry.path) for entry in entries if _is_folder(entry)]
        pictures = any(_is_picture(entry, EXTENSIONS, sniff=False) for entry in entries if not _is_folder(entry))
        if pictures or len(folders) != 1 or not any(_is_folder(entry) for entry in _entries(folders[0])):
            return root
        root = folders[0]


def _no_folder(root: Path) -> DataError:
    hint = "Give a folder with one folder of pictures a class."
    if not root.exists():
        return DataError(f"There is no folder {shown(root)}.", hint=hint)
    name = root.name.lower()
    if name.endswith((".zip", ".tar", ".tgz", ".gz")):
        hint = "It looks like an archive: use ImageSet.from_zip."
    elif name.endswith((".csv", ".tsv")):
        hint = "It looks like a table: use ImageSet.from_csv."
    return DataError(f"{shown(root)} is a file, not a folder.", hint=hint)


def _sides(root: Path) -> list[tuple[Split | None, Path]]:
    """(split, folder) where the folders decide the split, else nothing."""
    found: list[tuple[str, Path]] = [
        (SPLIT_NAMES[entry.name.lower()], Path(entry.path))
        for entry in _entries(root)
        if _is_folder(entry) and entry.name.lower() in SPLIT_NAMES
    ]
    kinds = {kind for kind, _ in found}
    # A class may be called "train": a side of a split has folders of its own.
    has_labels = all(any(_is_folder(e) for e in _entries(folder)) for kind, folder in found if kind == "train")
    if "train" not in kinds or len(kinds) == 1 or not has_labels:
        return []
    held = "valid" if "valid" in kinds else "test"
    sides = {"train": "train", held: "valid"}
    return [(cast("Split", sides[kind]), folder) for kind, folder in sorted(found) if kind in sides]


def _list_labels(
    folder: Path, split: Split | None, wanted: frozenset[str], listing: Listing, *, sniff: bool, loose: bool
) -> None:
    unlabelled = 0
    for entry in _entries(folder, listing):
        if not _is_folder(entry):
            if _is_picture(entry, wanted, sniff=sniff):
                unlabelled += not loose
                if loose:
                    listing.candidates.append(Candidate(Path(entry.path), entry.name, "", split))
            continue
        listing.folders.add(entry.name)
        for file in _files(Path(entry.path), listing):
            if _is_picture(file, wanted, sniff=sniff):
                path = Path(file.path)
                name = path.relative_to(listing.root).as_posix()
                listing.candidates.append(Candidate(path, name, entry.name, split))
            else:
                listing.skipped["not a picture"] += 1
    if unlabelled:
        listing.skipped["without a class folder"] += unlabelled
        listing.remarks.append(
            f"{count(unlabelled, 'picture')} left out: directly in {shown(folder)}, where no folder names a class."
        )


def _entries(folder: Path, listing: Listing | None = None) -> Iterator[os.DirEntry[str]]:
    """What lies in `folder`, sorted, without hidden files and what systems leave behind."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        if listing is not None:
            listing.set_aside.append(SetAside(folder, f"the folder cannot be opened ({error.strerror})"))
        return
    for entry in entries:
        if not entry.name.startswith(".") and entry.name.lower() not in _JUNK:
            yield entry
        elif listing is not None and not entry.name.startswith(".nbdeploy-"):  # our own markers
            listing.skipped["hidden"] += 1


def _files(folder: Path, listing: Listing) -> Iterator[os.DirEntry[str]]:
    """Every file below `folder`. A folder reached twice, by a link back to one above, is listed once."""
    folders, seen = [folder], set()
    while folders:
        here = folders.pop()
        if (real := os.path.realpath(here)) in seen:
            continue
        seen.add(real)
        for entry in _entries(here, listing):
            if _is_folder(entry):
                folders.append(Path(entry.path))
            else:
                yield entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: os.DirEntry[str], wanted: frozenset[str], *, sniff: bool) -> bool:
    path = Path(entry.path)
    extension = path.suffix.lower()
    if entry.is_symlink() and not path.exists():
        return extension in wanted  # a broken link to a picture is set aside by name later
    if not entry.is_file():  # a pipe or a socket would block or worse
        return False
    if extension or not sniff:
        return extension in wanted
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_FIRST_BYTES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
