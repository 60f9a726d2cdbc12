"""The runs of this user: one SQLite file that several processes write to at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from nbdeploy.core.files import state_dir
from nbdeploy.errors import OutputError, UnknownName
from nbdeploy.tracking.names import names

_TABLES = """
create table if not exists runs (
    id text primary key, kind text not null, name text not null, project text not null,
    status text not null, why text not null, began text not null, took_s real,
    parent text not null, origin text not null, host text not null, pid integer not null, started text not null,
    call text not null, note text not null, tags text not null, removed text not null,
    params text not null, metrics text not null, result text not null,
    data text not null, environment text not null, git text not null, models text not null);
create table if not exists series (
    run text not null, name text not null, step real not null, value real, at real not null);
create index if not exists series_of_a_run on series (run, name, step);
"""
_JSON = frozenset({"tags", "params", "metrics", "result", "data", "environment", "git", "models"})
_COLUMNS = """id kind name project status why began took_s parent origin host pid started call note tags removed
params metrics result data environment git models""".split()
_WAIT_S = 10.0
_hurried: ContextVar[bool] = ContextVar("nbdeploy_hurried", default=False)
_NAMED = 12
"""Names that an error lists."""


def file() -> Path:
    """Where the runs are kept."""
    return state_dir() / "runs.sqlite"


@contextmanager
def hurried(on: bool = True) -> Iterator[None]:
    """In the block nobody waits for another process that holds the file: then it cannot be used."""
    token = _hurried.set(on)
    try:
        yield
    finally:
        _hurried.reset(token)


def add(row: Mapping[str, Any]) -> str:
    """Keep a new run under a name of its own, which is given. `row` has every column but ``id``."""
    with _open() as database:
        for name in names():
            values = [_written(column, {**row, "id": name}[column]) for column in _COLUMNS]
            holes = ", ".join("?" * len(_COLUMNS))
            made = database.execute(f"insert or ignore into runs ({', '.join(_COLUMNS)}) values ({holes})", values)  # noqa: S608 - columns of ours
            if made.rowcount:
                return name
    raise AssertionError  # names() does not end


def change(name: str, /, **columns: Any) -> None:
    """Set columns of the run `name`."""
    with _open() as database:
        _set(database, name, columns)


def merge(name: str, column: str, values: Mapping[str, Any]) -> None:
    """Add to a column that holds a mapping; what is there under the same names is replaced, and taken away by None."""
    with _open() as database:
        database.execute("begin immediate")
        found = database.execute(f"select {column} from runs where id = ?", (name,)).fetchone()  # noqa: S608 - a column of ours
        if found:
            held = {**json.loads(found[0]), **values}
            _set(database, name, {column: {key: value for key, value in held.items() if value is not None}})


def measure(name: str, values: Mapping[str, float | None], step: float, at: float) -> None:
    """Add a point to series of the run `name`; `at` is seconds since it began."""
    with _open() as database:
        database.executemany(
            "insert into series values (?, ?, ?, ?, ?)", [(name, key, step, value, at) for key, value in values.items()]
        )


def descend(name: str, origin: str) -> None:
    """The model of the run `name` was made by the run `origin`, from its data."""
    with _open() as database:
        found = database.execute("select data from runs where id = ?", (origin,)).fetchone()
        if found:
            database.execute("update runs set origin = ?, data = ? where id = ?", (origin, found[0], name))


def forget(name: str) -> None:
    """Keep nothing of the run `name`."""
    with _open() as database:
        database.execute("delete from runs where id = ?", (name,))
        database.execute("delete from series where run = ?", (name,))


def every() -> list[dict[str, Any]]:
    """All runs, removed ones too, the newest first."""
    return _found("order by began desc, rowid desc")


def one(name: str) -> dict[str, Any]:
    """The run of that name. Raises UnknownName."""
    rows = _found("where id = ?", name)
    if not rows:
        raise UnknownName("run", name, [row["id"] for row in every()][:_NAMED])
    return rows[0]


def _found(rest: str, *values: str) -> list[dict[str, Any]]:
    if not file().exists():
        return []
    with _open() as database:
        rows = database.execute(f"select {', '.join(_COLUMNS)} from runs {rest}", values).fetchall()  # noqa: S608 - words of ours
    return [
        {column: json.loads(value) if column in _JSON else value for column, value in zip(_COLUMNS, row, strict=True)}
        for row in rows
    ]


def series(runs: Iterable[str]) -> dict[str, dict[str, list[tuple[float, float | None]]]]:
    """Run -> metric -> [(step, value)], in the order of the steps."""
    found: dict[str, dict[str, list[tuple[float, float | None]]]] = {name: {} for name in runs}
    if not file().exists():
        return found
    with _open() as database:
        for name, held in found.items():
            asked = "select name, step, value from series where run = ? order by step, rowid"
            for metric, step, value in database.execute(asked, (name,)):
                held.setdefault(metric, []).append((step, value))
    return found


def _set(database: sqlite3.Connection, name: str, columns: Mapping[str, Any]) -> None:
    given = ", ".join(f"{column} = ?" for column in columns)
    values = [_written(column, value) for column, value in columns.items()]
    database.execute(f"update runs set {given} where id = ?", (*values, name))  # noqa: S608 - columns of ours


def _written(column: str, value: Any) -> Any:
    return json.dumps(value) if column in _JSON else value


@contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    place = file()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(place, timeout=0.0 if _hurried.get() else _WAIT_S)) as database, database:
            if not database.execute("select 1 from sqlite_master where name = 'series'").fetchone():
                database.execute("pragma journal_mode = wal")  # readers and writers do not wait for one another
                database.executescript(_TABLES)
            database.execute("pragma synchronous = normal")
            yield database
    except (OSError, sqlite3.Error) as error:
        broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        hint = "Move that file away: a new one is begun." if broken else "Set NBDEPLOY_STATE to a folder of your own."
        raise OutputError(f"{place} cannot be used ({error}).", hint=hint) from error
