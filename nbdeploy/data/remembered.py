"""What earlier audits measured, kept by content hash, so that a second one reads only what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from nbdeploy.core.files import cache_dir
from nbdeploy.data.facts import VERSION, Facts, Measure

_TABLES = """
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, sha256 TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (sha256 TEXT PRIMARY KEY, body TEXT, signature BLOB) WITHOUT ROWID;
"""
_PATIENCE_S = 30
_EACH = 256
"""Files after which what was measured is kept: an audit that is stopped goes on from there."""


def facts_of_all(paths: Sequence[Path], measure: Measure) -> Iterator[Facts]:
    """The Facts of every path, in order. A file of the size and time of an earlier audit is not opened again."""
    with closing(_open()) as store:
        for start in range(0, len(paths), _EACH * 16):
            some = paths[start : start + _EACH * 16]
            stamps = [_stamp(path) for path in some]
            known = [_recall(store, path, stamp) for path, stamp in zip(some, stamps, strict=True)]
            new = measure([path for path, facts in zip(some, known, strict=True) if facts is None])
            fresh = 0
            try:
                for path, stamp, facts in zip(some, stamps, known, strict=True):
                    if facts is not None:
                        yield facts
                        continue
                    found = next(new)
                    _keep(store, path, stamp, found)
                    fresh += 1
                    if fresh % _EACH == 0:
                        _commit(store)
                    yield found
            finally:
                new.close()  # type: ignore[attr-defined]
                _commit(store)


def _open() -> sqlite3.Connection:
    place = cache_dir() / "audit" / f"facts-{VERSION}.sqlite"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        store = sqlite3.connect(place, timeout=_PATIENCE_S)
        store.execute("PRAGMA synchronous = OFF")  # what is lost with the power is measured again
        store.executescript(_TABLES)
    except (OSError, sqlite3.Error):  # a cache that cannot be had costs time, never an audit
        store = sqlite3.connect(":memory:")
        store.executescript(_TABLES)
    return store


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_size, seen.st_mtime_ns


def _recall(store: sqlite3.Connection, path: Path, stamp: tuple[int, int] | None) -> Facts | None:
    if stamp is None:
        return None
    query = (
        "SELECT body, signature FROM files JOIN facts USING (sha256) WHERE path = ? AND files.size = ? AND mtime = ?"
    )
    try:
        row = store.execute(query, (bytes(path), *stamp)).fetchone()
        return None if row is None else Facts.loads(*row)
    except (sqlite3.Error, ValueError, TypeError, KeyError):  # another program's file, or a damaged one
        return None


def _keep(store: sqlite3.Connection, path: Path, stamp: tuple[int, int] | None, facts: Facts) -> None:
    if stamp is None or not facts.sha256:
        return
    try:
        store.execute("REPLACE INTO facts VALUES (?, ?, ?)", (facts.sha256, facts.dumps(), facts.signature))
        store.execute("REPLACE INTO files VALUES (?, ?, ?, ?)", (bytes(path), *stamp, facts.sha256))
    except sqlite3.Error:
        store.rollback()


def _commit(store: sqlite3.Connection) -> None:
    try:
        store.commit()
    except sqlite3.Error:
        store.rollback()
