"""Bearer tokens: only their hashes are kept, and the file of them may change at any time.

A token is 32 random bytes, so a plain SHA-256 of it cannot be guessed back; what people choose is no token.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from .refusal import Unusable

_LINE = re.compile(r"([\w.-]{1,64})\s+sha256:([0-9a-fA-F]{64})")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


def make(name: str, file: Path) -> str:
    """A new token for `name`, whose hash is added to `file`; two tokens of one name are both good. Raises Unusable."""
    if not _LINE.fullmatch(f"{name} sha256:{'0' * 64}"):
        raise Unusable(f"{name!r} is no name for a token.", hint="Letters, digits, dots, dashes; 64 at most.")
    token = secrets.token_urlsafe(32)
    line = f"{name} sha256:{hashed(token)}\n"
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        before += "\n" * bool(before and not before.endswith("\n"))
        work = file.with_name(f".{file.name}.{os.getpid()}")  # whole or not at all: a server may be reading it
        work.touch(mode=0o600)
        work.write_text(before + line, encoding="utf-8")
        work.replace(file)
    except (OSError, ValueError) as error:
        raise Unusable(f"{file} cannot be written ({error}).", hint="Name another: --tokens FILE") from error
    return token


def hashed(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Tokens:
    """Who may ask. With neither a file nor hashes everybody may (`asked` is False)."""

    def __init__(self, file: Path | None = None, hashes: tuple[str, ...] = ()) -> None:
        self.file = file
        self.asked = bool(file or hashes)
        wrong = [text for text in hashes if not _HEX.fullmatch(text)]
        if wrong:
            raise Unusable(f"{len(wrong)} of the token hashes are no SHA-256.", hint="Give 64 hexadecimal digits.")
        self._fixed = [("token", text.lower()) for text in hashes]
        self._listed: list[tuple[str, str]] = []
        self._seen: tuple[int, int, int] | None = None
        if file is not None:
            try:
                self._read(file)
            except (OSError, ValueError) as error:
                raise Unusable(
                    f"The file of tokens {file} cannot be read ({error}).",
                    hint="Make one: --new-token NAME --tokens FILE",
                ) from error

    def caller(self, token: str) -> str | None:
        """The name that `token` was made for; None where it is not good. Takes the same time whichever it is."""
        self._refresh()
        given, found = hashed(token), None
        for name, kept in (*self._fixed, *self._listed):
            if hmac.compare_digest(given, kept):
                found = name
        return found

    def _refresh(self) -> None:
        """Read the file again where it changed. While it cannot be read, what it said last holds."""
        if self.file is None:
            return
        try:
            if _state(self.file) != self._seen:
                self._read(self.file)
        except (OSError, ValueError):
            return

    def _read(self, file: Path) -> None:
        seen, found = _state(file), []
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                match = _LINE.fullmatch(line.strip())
                if match is None:
                    raise ValueError(f"line {number} is not NAME sha256:HEX")
                found.append((match[1], match[2].lower()))
        self._listed, self._seen = found, seen


def _state(file: Path) -> tuple[int, int, int]:
    state = file.stat()
    return state.st_mtime_ns, state.st_ino, state.st_size
