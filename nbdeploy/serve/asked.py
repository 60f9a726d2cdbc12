"""The endpoint for a bundle of any target, with nbdeploy's own code: what lies in a bundle is not executed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.errors import BundleError, UsageError
from nbdeploy.serve.endpoint import listening
from nbdeploy.serve.endpoint.model import Code, Model, host_code
from nbdeploy.serve.endpoint.pool import Pool
from nbdeploy.serve.endpoint.refusal import Unusable
from nbdeploy.serve.endpoint.settings import Settings, listed
from nbdeploy.templates.python import predict

if TYPE_CHECKING:
    import uvicorn


def endpoint(
    bundle: Bundle,
    *,
    host: str,
    loopback: bool,
    certfile: str | None = None,
    keyfile: str | None = None,
    tokens: str | None = None,
    public: bool = False,
    cors: str = "",
    threads: int = 0,
    rate: str = "",
) -> Callable[[], uvicorn.Server]:
    """Load the model and ask it about the bundle's samples; gives what makes the server. Raises BundleError where that
    fails, UsageError where strangers could ask.
    """
    settings = Settings(
        host=host,
        certfile=certfile,
        keyfile=keyfile,
        tokens=Path(tokens) if tokens else None,
        public=public,
        cors=listed(cors),
        threads=threads,
        rate=rate,
    )
    try:
        listening.guarded(settings, local=loopback)
    except Unusable as error:
        raise UsageError(error.message, hint=error.hint) from error
    try:
        pool = Pool(Model.open(bundle.path, _code(bundle.target)), threads=settings.workers, waiting=settings.queue)
        pool.load()
    except Unusable as error:
        raise BundleError(error.message, hint=error.hint) from error
    try:
        made = listening.server(pool, settings, local=loopback)
    except Unusable as error:
        raise UsageError(error.message, hint=error.hint) from error
    return lambda: made


def _code(target: str) -> Code:
    host = host_code(Path(predict.__file__))
    made: Any = registry.targets.load(target)()
    return Code(host, made.load, getattr(host.load_module(made.runtime), "SHARED", False))
