"""What is remembered of endpoints: a table in SQLite, and beside it one file a secret that only the user may read."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nbdeploy.core.files import state_dir
from nbdeploy.errors import OutputError, ProviderError, UnknownName

_TABLE = """
create table if not exists endpoints (
    name text primary key, provider text not null, settings text not null, record text not null,
    created text not null, changed text not null)
"""
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """One endpoint as it is remembered. `settings` are those that are not secret."""

    name: str
    provider: str
    settings: Mapping[str, str]
    record: Mapping[str, Any]
    created: str
    changed: str


def every() -> list[Kept]:
    """All endpoints, by name."""
    if not _file().exists():
        return []
    with _open() as database:
        rows = database.execute("select * from endpoints order by name").fetchall()
    return [
        Kept(name, provider, json.loads(s), json.loads(r), made, changed)
        for name, provider, s, r, made, changed in rows
    ]


def one(name: str) -> Kept:
    """The endpoint of that name. Raises UnknownName."""
    found = {kept.name: kept for kept in every()}
    if name not in found:
        note = (
            ""
            if found
            else "There are no endpoints yet; make one: nbdeploy deploy MODEL --target cloud --provider local"
        )
        raise UnknownName("endpoint", name, found, note=note)
    return found[name]


def keep(name: str, provider: str, settings: Mapping[str, str], record: Mapping[str, Any]) -> None:
    """Remember it, or what changed of it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    values = (name, provider, json.dumps(dict(settings)), json.dumps(dict(record)), now, now)
    with _open() as database:
        database.execute(
            "insert into endpoints values (?, ?, ?, ?, ?, ?) on conflict (name) do update set"
            " provider = excluded.provider, settings = excluded.settings,"
            " record = excluded.record, changed = excluded.changed",
            values,
        )


def forget(name: str) -> None:
    """Remember nothing of it any more, its secrets too."""
    with _open() as database:
        database.execute("delete from endpoints where name = ?", (name,))
    _secret(name).unlink(missing_ok=True)


@contextmanager
def held(name: str) -> Iterator[None]:
    """Nobody else of this machine changes the endpoint `name` inside the block. Raises ProviderError."""
    folder = _made(state_dir() / "locks")
    try:
        with FileLock(folder / f"{name}.lock", timeout=_WAIT_S):
            yield
    except Timeout as error:
        raise ProviderError(
            f"{name} is being changed by another process.", hint="Wait for it, then try again."
        ) from error


def token(name: str) -> str:
    """The bearer token of the endpoint `name`; "" where it asks for none."""
    return str(_secrets(name).get("token", ""))


def new_token(name: str) -> str:
    """A fresh token for the endpoint `name`, kept."""
    made = secrets.token_urlsafe(32)
    _keep_secrets(name, {**_secrets(name), "token": made})
    return made


def hashed(token: str) -> str:
    """The token's SHA-256 in hexadecimal, from which it cannot be had back."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_hash(name: str) -> str:
    """What servers are told of the endpoint's token."""
    return hashed(token(name))


def token_line(name: str) -> str:
    """The line of a server's file of tokens."""
    return f"{name} sha256:{token_hash(name)}\n"


def secret_settings(name: str) -> dict[str, str]:
    """The settings that were kept out of the table."""
    return dict(_secrets(name).get("settings", {}))


def keep_secret_settings(name: str, settings: Mapping[str, str]) -> None:
    """Keep settings out of the table."""
    if settings:
        _keep_secrets(name, {**_secrets(name), "settings": dict(settings)})


def _secret(name: str) -> Path:
    return state_dir() / "secrets" / f"{name}.json"


def _secrets(name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(_secret(name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _keep_secrets(name: str, value: Mapping[str, Any]) -> None:
    place = _made(_secret(name).parent, private=True) / f"{name}.json"
    work = place.with_suffix(".new")
    work.unlink(missing_ok=True)
    with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
    work.replace(place)


def _file() -> Path:
    return state_dir() / "endpoints.sqlite"


def _made(folder: Path, *, private: bool = False) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o755)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made ({error.strerror}), so no endpoint can be remembered.",
            hint="Set NBDEPLOY_STATE to a folder of your own.",
        ) from error
    return folder


@contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    _made(state_dir())
    try:
        with closing(sqlite3.connect(_file(), timeout=_WAIT_S)) as database, database:
            database.execute(_TABLE)
            yield database
    except sqlite3.Error as error:
        raise OutputError(
            f"{_file()} cannot be used ({error}).", hint="Set NBDEPLOY_STATE to a folder of your own."
        ) from error
