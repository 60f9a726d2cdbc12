"""What Edits make of an ImageSet: another ImageSet. Files are only read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nbdeploy.core.files import sha256_of
from nbdeploy.core.finding import Edit
from nbdeploy.data.journal import Journal
from nbdeploy.data.records import ImageFile, SetAside, shown
from nbdeploy.errors import DataError

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet

_TURNS = frozenset({"0", "90", "180", "270", "exif"})


class Hashed(Protocol):
    """A file and the hash of its bytes."""

    @property
    def path(self) -> Path: ...
    @property
    def sha256(self) -> str: ...


@dataclass(slots=True)
class State:
    """What holds for the files of one content hash."""

    label: str = ""
    excluded: str = ""
    """Why, where it is; else empty."""
    keep: str = ""
    """Hash of the file that stands for it; its own where one of several copies stays."""
    kept: Path | None = None
    turn: int = 0
    by_exif: bool = False


def fold(edits: Iterable[tuple[str, str, Edit]]) -> dict[str, State]:
    """The state a hash that (hash, hash of the file that is kept, Edit) lead to, in their order. Raises DataError."""
    states: dict[str, State] = {}
    for sha256, keep, edit in edits:
        state = states.setdefault(sha256, State())
        if edit.operation == "relabel":
            if not edit.after.strip():
                raise DataError(f"{shown(edit.path)} is given no label.", hint="Edit(path, 'relabel', 'cat').")
            state.label = edit.after
        elif edit.operation == "exclude":
            state.excluded = edit.why or "excluded"
        elif edit.operation == "restore":
            state.excluded, state.keep, state.kept = "", "", None
        elif edit.operation == "merge":
            state.keep, state.kept = keep, Path(edit.after)
        elif edit.after not in _TURNS:
            raise DataError(
                f'{shown(edit.path)} cannot be turned by "{edit.after}".', hint="90, 180, 270 (clockwise), exif or 0."
            )
        elif edit.after == "0":
            state.turn, state.by_exif = 0, False
        elif edit.after == "exif":
            state.by_exif = True
        else:
            state.turn = (state.turn + int(edit.after)) % 360
    return states


def apply(images: ImageSet, edits: Iterable[Edit]) -> ImageSet:
    """A new ImageSet, as `ImageSet.apply` says."""
    base = images.original or images
    before = images.edits
    if isinstance(edits, Journal):  # applied before, it takes the place of what it said then
        known = {one.edit for one in edits.decisions()}
        before = tuple(edit for edit in before if edit not in known)
    every = (*before, *edits)
    hashes = {file.path: file.sha256 for file in base.files}
    folded = [(_hash(edit.sha256, edit.path, hashes), _kept(edit, hashes), edit) for edit in every]
    states = fold(folded)
    turned = {sha256 for sha256, _, edit in folded if edit.operation == "rotate"}
    files: list[ImageFile] = []
    aside = list(base.set_aside)
    reasons = left_out(base.files, states)
    for file in base.files:
        state = states.get(file.sha256, State())
        if file.path in reasons:
            aside.append(SetAside(file.path, reasons[file.path]))
        else:
            # A manifest may have turned it already, by decisions that are all in the journal beside it.
            turn, by_exif = (state.turn, state.by_exif) if file.sha256 in turned else (file.turn, file.by_exif)
            files.append(replace(file, label=state.label or file.label, turn=turn, by_exif=by_exif))
    return replace(
        base,
        files=tuple(files),
        set_aside=tuple(sorted(aside, key=lambda one: str(one.path))),
        original=base,
        edits=every,
    )


def left_out(files: Sequence[Hashed], states: Mapping[str, State]) -> dict[Path, str]:
    """Path -> why, of those `files` that are excluded or merged into another."""
    first = _first_of_copies(files, states)
    reasons = (
        (file.path, _reason(file, states[file.sha256], states, first)) for file in files if file.sha256 in states
    )
    return {path: reason for path, reason in reasons if reason}


def _reason(file: Hashed, state: State, states: Mapping[str, State], first: Mapping[str, Path]) -> str:
    """Why a file is left out, or nothing."""
    if state.excluded:
        return f"excluded by decision: {state.excluded}"
    if not state.keep:
        return ""
    if state.keep == file.sha256:
        return "" if first[file.sha256] == file.path else f"merged with its copy {shown(first[file.sha256])}"
    # Two that were merged into one another would both be gone: the one that is kept stays where it is left out itself.
    seen, keep = {file.sha256}, state.keep
    while keep not in seen:
        seen.add(keep)
        other = states.get(keep, State())
        if not other.keep or other.keep == keep:
            return "" if other.excluded else f"merged with {shown(state.kept or '')}"
        keep = other.keep
    return "" if file.sha256 == min(seen) else f"merged with {shown(state.kept or '')}"


def _first_of_copies(files: Sequence[Hashed], states: Mapping[str, State]) -> dict[str, Path]:
    """For each hash whose copies are merged, the path that stays: the one that was chosen, else the first."""
    first: dict[str, Path] = {}
    for file in files:
        state = states.get(file.sha256)
        if state and state.keep == file.sha256 and (file.path == state.kept or file.sha256 not in first):
            first[file.sha256] = file.path
    return first


def _kept(edit: Edit, hashes: dict[Path, str]) -> str:
    return _hash(edit.keep, Path(edit.after), hashes) if edit.operation == "merge" else ""


def _hash(known: str, path: Path, hashes: dict[Path, str]) -> str:
    if known:
        return known
    if path in hashes:
        return hashes[path]
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(
            f"An edit is about {shown(path)}, which is not in the set and cannot be read.",
            hint="Give the path of a picture as it stands in the set.",
        ) from error
