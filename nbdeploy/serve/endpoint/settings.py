"""What the endpoint can be told, by the environment or by options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .refusal import Unusable

MEBIBYTE = 1 << 20
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All have defaults that are safe on a person's own machine."""

    host: str = "127.0.0.1"
    port: int = 8000
    fd: int | None = None
    """An inherited socket that listens already, in place of host and port."""
    tokens: Path | None = None
    """A file of lines ``NAME sha256:HEX``, read again when it changes."""
    token_sha256: tuple[str, ...] = ()
    public: bool = False
    """No token is asked, on any address: something in front does."""
    threads: int = 0
    """Requests worked on at the same time; 0: as many as there are processors."""
    max_body: int = 20_000_000
    """Bytes of one request."""
    queue: int = 64
    """Requests that may wait for a thread."""
    rate: str = ""
    """Of one caller, ``600/minute``; empty: not limited."""
    cors: tuple[str, ...] = ()
    """Origins whose pages may ask; ``*``: all."""
    canary: Path | None = None
    """A JSON file ``{"url", "share"}``: that share of requests is passed on to that address."""
    certfile: str | None = None
    keyfile: str | None = None
    patience: float = 10
    """Seconds that a client may take for the head of a request, or before its body has to flow."""
    connections: int = 1000
    """Open at the same time, at most."""
    max_pixels: int = 8192 * 6144
    """Of one picture: what cameras give. A file of 1 MB can hold it, and takes half a gigabyte to decode."""

    @property
    def workers(self) -> int:
        """Threads that run the model."""
        return self.threads or processors()

    @property
    def memory(self) -> int:
        """Bytes of request bodies that may be held at the same time, all together."""
        return max(256 * MEBIBYTE, 2 * self.max_body)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read HOST, PORT, AIP_HTTP_PORT and NBDEPLOY_*. Raises Unusable for what is no number."""

        def number(name: str, default: int, *, least: int = 0) -> int:
            text = environ.get(name, "").strip()
            if not text:
                return default
            if not text.isdecimal() or int(text) < least:
                raise Unusable(f"{name}={text} is no whole number of at least {least}.", hint=f"Say: {name}={default}")
            return int(text)

        def path(name: str) -> Path | None:
            return Path(environ[name]) if environ.get(name) else None

        return cls(
            host=environ.get("HOST") or cls.host,
            port=number("AIP_HTTP_PORT", number("PORT", cls.port)),
            tokens=path("NBDEPLOY_TOKENS"),
            token_sha256=listed(environ.get("NBDEPLOY_TOKEN_SHA256", "")),
            public=environ.get("NBDEPLOY_PUBLIC", "") not in {"", "0"},
            threads=number("NBDEPLOY_THREADS", 0),
            max_body=number("NBDEPLOY_MAX_BODY", cls.max_body, least=1),
            queue=number("NBDEPLOY_QUEUE", cls.queue),
            rate=environ.get("NBDEPLOY_RATE", ""),
            cors=listed(environ.get("NBDEPLOY_CORS", "")),
            canary=path("NBDEPLOY_CANARY"),
            certfile=environ.get("NBDEPLOY_CERTFILE") or None,
            keyfile=environ.get("NBDEPLOY_KEYFILE") or None,
            patience=number("NBDEPLOY_PATIENCE", 10, least=1),
            connections=number("NBDEPLOY_CONNECTIONS", cls.connections, least=1),
            max_pixels=number("NBDEPLOY_MAX_PIXELS", cls.max_pixels, least=1),
        )


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def processors() -> int:
    """Processors that this process may use, also in a container that gets only some of the machine's."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        return max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no control group, or "max"
        return count
