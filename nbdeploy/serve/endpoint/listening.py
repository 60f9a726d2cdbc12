"""The server: its socket, the line it prints when it is ready, and an end that loses no request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import os
import signal
import socket
import ssl
from collections.abc import Callable
from typing import Any

import uvicorn

from .app import application
from .connections import Connection
from .log import Log
from .pool import Pool, State
from .refusal import Unusable
from .settings import Settings

_LINGER_S = 2  # for clients that keep connections open to come once more and be told that it is the last time
_GRACE_S = 20  # for answers that are on their way when the server is told to end
_FILES = 65_536
_IDLE_S = 75  # longer than proxies keep connections open, so that it is they who close them


class Server(uvicorn.Server):
    """uvicorn's, which loads the model when it listens already, and drains before it ends."""

    def __init__(
        self, config: uvicorn.Config, pool: Pool, log: Log, ready: Callable[[], None], *, shared: bool
    ) -> None:
        super().__init__(config)
        self.pool, self.log, self.ready, self.shared = pool, log, ready, shared
        self.failure: Unusable | None = None
        self._loading: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, then load; on a socket that others share load first, since they do answer meanwhile."""
        self.log.take_over()
        _more_files()
        if self.shared:
            await self._load()
        if not self.should_exit:
            await super().startup(sockets)
        if not self.shared:
            self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            if self.pool.state is State.loading:
                await asyncio.to_thread(self.pool.load)
        except Unusable as error:
            self.failure, self.should_exit = error, True
        else:
            self.log.event("ready", **self.pool.model.about(), threads=self.pool.threads)
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has come and still comes on open connections, and say on each that it ends."""
        if self.pool.state is State.ready:
            self.pool.state = State.draining
            self.log.event("draining", connections=len(self.server_state.connections))
            if not self.shared:
                await self._take_waiting(sockets or [])
            for server in self.servers:
                server.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_S):
                    while self.server_state.connections and not self.force_exit:  # noqa: ASYNC110 - uvicorn has no event
                        await asyncio.sleep(0.02)
        await super().shutdown(sockets)
        self.log.event("ended")
        self.log.close()

    async def _take_waiting(self, sockets: list[socket.socket]) -> None:
        """Connections that the system holds for us; closing the socket would cut them off."""
        loop = asyncio.get_running_loop()
        protocol: Any = self.config.http_protocol_class
        made = functools.partial(
            protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        for one in sockets:
            with contextlib.suppress(BlockingIOError, OSError):
                while True:
                    taken, _ = one.accept()
                    taken.settimeout(0)
                    await loop.connect_accepted_socket(made, taken, ssl=self.config.ssl)


def server(pool: Pool, settings: Settings, *, local: bool, ready: Callable[[], None] = lambda: None) -> Server:
    """A server for the model of `pool`; `ready` is called when it answers. `local`: only this machine can ask."""
    log = Log()
    config = uvicorn.Config(
        application(pool, settings, log, local=local),
        http=Connection.bounded(most=settings.connections, patience=settings.patience),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=settings.certfile,
        ssl_keyfile=settings.keyfile,
    )
    return Server(config, pool, log, ready, shared=settings.fd is not None)


def heed_signals(running: uvicorn.Server) -> None:
    """From now on SIGTERM and Ctrl-C end the server, and with it the process, with status 0; the second one at once."""

    def end(*_: Any) -> None:
        running.force_exit = running.should_exit
        running.should_exit = True

    # uvicorn's own way ends, and then sends itself the signal once more: a status as of a killed process.
    running.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def bound(settings: Settings) -> tuple[socket.socket, bool]:
    """The socket to listen at, and whether only this machine reaches it. Raises Unusable for a place that cannot be,
    and for one that strangers reach without showing a token.
    """
    if settings.fd is not None:
        try:
            taken = socket.socket(fileno=settings.fd)
            local = is_local(str(taken.getsockname()[0]))
        except (OSError, IndexError) as error:
            raise Unusable(f"--fd {settings.fd} is no socket ({error}).", hint="Leave it out.") from error
        guarded(settings, local=local)
        return taken, local
    local = is_local(settings.host)
    guarded(settings, local=local)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        taken = socket.socket(family, kind, protocol)
        if os.name == "posix":
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended leaves it waiting
        taken.bind(address)
        taken.listen(2048)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be taken ({error})"
        raise Unusable(f"Port {settings.port} of {settings.host} {why}.", hint="Choose another: --port 0.") from error
    return taken, local


def guarded(settings: Settings, *, local: bool) -> None:
    """Raise Unusable where strangers could ask without a token."""
    if local or settings.public or settings.tokens or settings.token_sha256:
        return
    raise Unusable(
        f"{settings.host} is reached by others, and no token is set.",
        hint="Make one: nbdeploy serve --new-token NAME --tokens FILE (python app/server token NAME --tokens FILE), "
        "and serve with --tokens FILE. Where something in front asks who calls: --public.",
    )


def is_secure(settings: Settings) -> bool:
    """Whether it speaks HTTPS. Raises Unusable for a certificate that cannot be used."""
    if not settings.certfile and not settings.keyfile:
        return False
    try:
        if not settings.certfile or not settings.keyfile:
            raise ValueError("HTTPS needs two files")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certfile, settings.keyfile)
    except (OSError, ValueError) as error:
        raise Unusable(
            f"{settings.certfile} and {settings.keyfile} are no certificate with its key ({error}).",
            hint="Give two PEM files that fit: --certfile CERT.pem --keyfile KEY.pem",
        ) from error
    return True


def url(taken: socket.socket, settings: Settings) -> str:
    """The address of `taken`."""
    where: Any = taken.getsockname()
    host = f"[{where[0]}]" if ":" in where[0] else where[0]
    return f"{'https' if settings.certfile else 'http'}://{host}:{where[1]}/"


def is_local(host: str) -> bool:
    """Whether `host` is an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _more_files() -> None:
    """Connections are open files; many systems allow a process 1024 unless it asks."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ModuleNotFoundError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
