"""Files on disk: hashes, and folders that appear whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbdeploy.errors import OutputError

_CHUNK = 1 << 20
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100
_MOST_NAME_BYTES = 220
"""Of a folder's name: file systems take 255, and the hidden folder beside it is called a little longer."""


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def parts(path: Path) -> list[Path]:
    """The files of a model, sorted: itself, or all below it where it is a folder, and those beside it that differ
    from its name only in the suffix (``model.xml`` and ``model.bin``).
    """
    beside = [other for other in path.parent.glob(f"{_glob_escape(path.stem)}.*") if other.stem == path.stem]
    files = [file for one in beside for file in ([one] if one.is_file() else one.rglob("*")) if file.is_file()]
    return sorted(files)


def sha256_of_parts(path: Path) -> str:
    """Hex SHA-256 of a model: of its one file, else of the names and hashes of its files."""
    files = parts(path)
    if files == [path]:
        return sha256_of(path)
    lines = [f"{sha256_of(file)} {file.relative_to(path.parent).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write `value` as UTF-8 JSON, indented, with a final newline."""
    # A file name that is not UTF-8 holds lone surrogates, whose backslash form is JSON's own escape for them.
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def cache_dir() -> Path:
    """Where nbdeploy keeps what it can make again: ``$NBDEPLOY_CACHE`` or the user's cache folder."""
    root = os.environ.get("NBDEPLOY_CACHE")
    if root:
        return Path(root)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nbdeploy"


def state_dir() -> Path:
    """Where nbdeploy keeps what it must not lose: ``$NBDEPLOY_STATE`` or the user's data folder."""
    root = os.environ.get("NBDEPLOY_STATE")
    if root:
        return Path(root).absolute()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "nbdeploy"


def file_name(text: str) -> str:
    """`text` as a name that is safe for a file or a folder; "" where nothing is left of it."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:80]


def log_file(name: str) -> Path:
    """A path for a log that can be written to: in the cache, or where that cannot be used among temporary files."""
    try:
        folder = cache_dir() / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / f"{file_name(name)}-{os.getpid()}.log"
        log.touch()
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        handle, path = tempfile.mkstemp(prefix="nbdeploy-", suffix=".log")
        os.close(handle)
        return Path(path)
    return log


@contextmanager
def new_folder(out: Path, *, overwrite: bool = False, mark: str | None = None) -> Iterator[Path]:
    """A folder to build in, put at `out` in one step when the block ends well and removed when it does not.

    An existing `out` is an OutputError unless `overwrite`; then it stays in place, whole, until the new one takes its
    place. A folder that holds something, but not the file `mark`, is somebody's own and is never replaced. What killed
    processes left beside `out` is cleared first. OSErrors of the block (read-only, full disk) become OutputErrors that
    say what to do.
    """
    out = Path(os.path.abspath(out))  # not resolve(): a link given as `out` is replaced, not followed
    check_place(out, overwrite=overwrite, mark=mark)
    work = out.with_name(f".{out.name}.building-{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(out)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        yield work
        put_in_place(work, out, overwrite=overwrite)
    except OSError as error:
        raise _as_output_error(error, out) from error
    finally:
        _remove(work)


def check_place(out: Path, *, overwrite: bool, mark: str | None = None) -> None:
    """Raise OutputError when `out` cannot be made: it exists, is not ours, or its place cannot be written to."""
    try:
        there = out.exists() or out.is_symlink()
    except OSError as error:
        raise OutputError(f"{str(out)[:80]}...: {error.strerror}.", hint="Choose a shorter path.") from error
    if len(os.fsencode(out.name)) > _MOST_NAME_BYTES:
        raise OutputError(f"{out.name[:40]}... is too long a name for a folder.", hint="Choose a shorter one.")
    if there and not overwrite:
        raise OutputError(f"{out} exists already.", hint="Choose another folder, or pass overwrite=True (--overwrite).")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, not a folder.", hint="Choose another output folder.")
    if mark and out.exists() and any(out.iterdir()) and not (out / mark).is_file():
        raise OutputError(
            f"{out} holds other files (no {mark}), so it is not replaced.", hint="Choose another output folder."
        )
    place = next((parent for parent in out.parents if parent.exists()), out)
    if not place.is_dir():
        raise OutputError(f"{place} is a file, so no folder can be made in it.", hint="Choose another output folder.")
    if not os.access(place, os.W_OK):
        raise OutputError(f"{place} cannot be written to.", hint="Choose an output folder of your own with -o / out=.")


def _as_output_error(error: OSError, out: Path) -> OutputError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        places = (next(p for p in out.parents if p.exists()), Path(tempfile.gettempdir()))
        free, full = min((shutil.disk_usage(place).free, place) for place in places)
        return OutputError(
            f"The disk is full ({free / 1e6:.1f} MB free at {full}); nothing was put in place.",
            hint="Free some space, or choose another place with -o / out= (TMPDIR for temporary files).",
        )
    if error.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
        return OutputError(f"{error.filename or out} cannot be written to.", hint="Choose a folder of your own.")
    return OutputError(f"Writing {out} failed: {error}.", hint="Nothing was put in place.")


def put_in_place(work: Path, out: Path, *, overwrite: bool) -> None:
    """Rename `work` to `out`; an `out` that exists is exchanged with it atomically where the system can."""
    if not out.exists() and not out.is_symlink():
        work.rename(out)
    elif not overwrite:
        raise OutputError(f"{out} appeared while it was being built.", hint="Pass overwrite=True (--overwrite).")
    elif _exchange(work, out):
        _remove(work)
    else:  # two renames: a kill between them leaves the old one whole as .NAME.old, which the next run puts back
        old = out.with_name(f".{out.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
        work.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Let two folders that lie beside one another change names: in one step where the system can."""
    if not _exchange(one, other):
        aside = one.with_name(f"{one.name}.aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)


def _remove(path: Path) -> None:
    if path.is_symlink():  # `out` was a link: it goes, what it led to stays
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    return bool(libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def _clear_leftovers(out: Path) -> None:
    old = out.with_name(f".{out.name}.old")
    if old.exists() and not out.exists():
        old.rename(out)
    for left in out.parent.glob(f".{_glob_escape(out.name)}.building-*"):
        pid = left.name.rpartition("-")[2]
        if not pid.isdigit() or not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _glob_escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _alive(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - only where a leftover was found

    return bool(psutil.pid_exists(pid)) and pid != os.getpid()
