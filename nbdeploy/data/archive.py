"""Unpack an archive of unknown origin: whole or not at all, inside its folder, and within bounds."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from nbdeploy.core.files import new_folder, sha256_of, write_json
from nbdeploy.core.progress import track
from nbdeploy.data.records import count, short, shown
from nbdeploy.errors import DataError

MARKER = ".nbdeploy-archive.json"
"""Written last into the unpacked folder: the archive's name and sha256."""
MAX_FILES = 2_000_000
MAX_BYTES = 200 * 10**9
MAX_RATIO = 50
"""Pictures hardly shrink in an archive; one that grows this much (and beyond `RATIO_FROM`) is a bomb."""
RATIO_FROM = 10**9
_CHUNK = 1 << 20
_ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz")
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, OSError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    kind: str
    """"file", or what it is instead."""
    content: IO[bytes] | None


def unpack(archive: Path, dest: Path | None = None) -> tuple[Path, list[str]]:
    """The folder that holds `archive` unpacked, and what is to be said about it.

    An existing `dest` is used as it is when its marker names the same bytes, and is an error otherwise.
    Raises DataError for an archive that is missing, damaged, encrypted or out of bounds, OutputError for `dest`.
    """
    if not archive.is_file():
        hint = "Use ImageSet.from_folder." if archive.is_dir() else "Give a .zip, .tar or .tar.gz file."
        raise DataError(f"There is no archive {shown(archive)}.", hint=hint)
    out = Path(os.path.abspath(dest if dest is not None else archive.with_name(_stem(archive))))
    sha256 = sha256_of(archive)
    if out.is_dir() and any(out.iterdir()):
        _check_same(out, archive, sha256)
        return out, []
    dropped: Counter[str] = Counter()
    with new_folder(out, overwrite=out.is_dir()) as work:  # an empty folder may be there already
        files = _write_members(archive, work, dropped)
        write_json(work / MARKER, {"archive": shown(archive.name), "sha256": sha256, "files": files})
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(dropped.items()))
    return out, [f"Left out of {shown(archive.name)}: {kinds}. Only plain files are unpacked."] if dropped else []


def _stem(archive: Path) -> str:
    name = archive.name
    ending = next((end for end in _ENDINGS if name.lower().endswith(end)), archive.suffix)
    return name[: len(name) - len(ending)] if ending else f"{name}-unpacked"


def _check_same(out: Path, archive: Path, sha256: str) -> None:
    try:
        marker = json.loads((out / MARKER).read_text(encoding="utf-8"))
        made_from = marker["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{shown(out)} exists and was not unpacked from {shown(archive.name)}.",
            hint="Choose another place with dest=, or read that folder with ImageSet.from_folder.",
        ) from None
    if made_from != sha256:
        raise DataError(
            f"{shown(out)} was unpacked from another archive than {shown(archive.name)} is now.",
            hint="Choose another place with dest=, or remove that folder first.",
        )


def _write_members(archive: Path, work: Path, dropped: Counter[str]) -> int:
    packed = archive.stat().st_size
    free = shutil.disk_usage(work).free
    bytes_left = min(MAX_BYTES, max(RATIO_FROM, MAX_RATIO * packed))
    files = written = 0
    for member in track(_members(archive), f"unpacking {shown(archive.name)}"):
        target = _inside(work, member.name, archive)
        if member.content is None:
            dropped[member.kind] += 1
            continue
        files += 1
        written += member.size
        if files > MAX_FILES or written > bytes_left:
            raise DataError(
                f"{shown(archive.name)} unpacks to more than {_bound(files, bytes_left)}, unlike pictures.",
                hint="If you trust it, unpack it yourself and use ImageSet.from_folder.",
            )
        if written > free:
            raise DataError(
                f"{shown(archive.name)} needs more room than the {free / 1e6:,.0f} MB free at {shown(work.parent)}.",
                hint="Free some space, or choose another place with dest=.",
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                _copy(member, file, archive)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise DataError(
                f'{shown(archive.name)} holds "{short(member.name)}" both as a file and as a folder.',
                hint="Make the archive again.",
            ) from error
    return files


def _bound(files: int, bytes_left: int) -> str:
    return count(MAX_FILES, "file") if files > MAX_FILES else f"{bytes_left / 1e9:,.1f} GB"


def _inside(work: Path, name: str, archive: Path) -> Path:
    """Where a member goes. Raises DataError for a name that leads out of the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = len(path.parts) > 1 and len(path.parts[0]) == 2 and path.parts[0].endswith(":")  # noqa: PLR2004 - "C:"
    if path.is_absolute() or drive or ".." in path.parts or "\0" in name or not path.parts:
        raise DataError(
            f'{shown(archive.name)} holds "{short(name)}", which leads out of the folder it is unpacked to.',
            hint="Nothing was unpacked. Do not trust this archive.",
        )
    return work.joinpath(*path.parts)


def _copy(member: _Member, file: IO[bytes], archive: Path) -> None:
    """At most the size that the member declares, which is what the bounds were checked against."""
    content, left = member.content, member.size
    while content is not None and left > 0:
        with _damage_named(archive):
            chunk = content.read(min(_CHUNK, left))
        if not chunk:
            raise _damaged(archive, f'"{short(member.name)}" ends early')
        file.write(chunk)
        left -= len(chunk)
    with _damage_named(archive):
        if content is not None and content.read(1):  # the checksum of a zip member is looked at here
            raise _damaged(archive, f'"{short(member.name)}" is longer than it says')


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file:
        is_zip = zipfile.is_zipfile(file)
    if not is_zip and not tarfile.is_tarfile(archive):
        raise DataError(
            f"{shown(archive)} is neither a zip nor a tar archive.", hint="Pack the folder as .zip, .tar or .tar.gz."
        )
    found = _zip_members(archive) if is_zip else _tar_members(archive)
    while True:
        with _damage_named(archive):
            member = next(found, None)
        if member is None:
            return
        yield member


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind == stat.S_IFDIR:
                continue
            if info.flag_bits & 1:
                raise DataError(f"{shown(archive.name)} is encrypted.", hint="Unpack it yourself; use from_folder.")
            if kind not in {0, stat.S_IFREG}:
                yield _Member(info.filename, 0, "link" if kind == stat.S_IFLNK else "device", None)
                continue
            with packed.open(info) as content:
                yield _Member(info.filename, info.file_size, "file", content)


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:*") as packed:
        while info := packed.next():
            vars(packed)["members"].clear()  # else the headers of a million members stay in memory
            if info.isdir():
                continue
            content = packed.extractfile(info) if info.isreg() else None
            kind = "link" if info.issym() or info.islnk() else "device"
            yield _Member(info.name, info.size, "file" if content else kind, content)
        # tarfile takes a garbled header for the end; the real one is a block of zeros, and then a gzip checksum.
        rest = packed.fileobj
        if rest is not None:
            rest.seek(packed.offset)
            if rest.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise tarfile.ReadError("its end is missing")
            rest.read(_CHUNK)


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise _damaged(archive, str(error) or type(error).__name__) from error


def _damaged(archive: Path, why: str) -> DataError:
    return DataError(f"{shown(archive.name)} is damaged ({why}).", hint="Fetch it again; nothing was unpacked.")
