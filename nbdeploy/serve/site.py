"""The page of a bundle as a static site: only what the page needs, with the headers that make it safe and quick.

A file asked for with its own hash (``?sha256=``) may be kept for ever; manifest.json, which says what the newest hashes
are, never; all else is asked for again each time, and answered with 304 where it is the same.
"""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.errors import BundleError
from nbdeploy.serve.packed import packed

if TYPE_CHECKING:
    from starlette.requests import Request

PAGE = "app/web/"
HOME = f"{PAGE}index.html"
_PARTS = ("index.html", "labels.txt")
_TYPES = {
    ".js": "text/javascript",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".tflite": "application/octet-stream",
    ".webp": "image/webp",
}
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; style-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_HERE = ["127.0.0.1", "localhost", "[::1]"]


def site(bundle: Bundle, *, host: str, loopback: bool) -> Starlette:
    """The application. With `loopback` only this machine's own names are answered, and the `host` that it listens at,
    so that no page from elsewhere can reach it under a name of its own.
    """
    listing = _Listing(bundle)

    async def file(request: Request) -> Response:
        path = request.path_params["path"]
        if path in {"", "app/", "app", PAGE.rstrip("/")}:
            return RedirectResponse(f"/{PAGE}", headers=HEADERS)
        path = HOME if path == PAGE else path
        hashes = listing.now()
        if path not in hashes:
            return PlainTextResponse("There is no such file in the page.\n", status_code=404, headers=HEADERS)
        return await _answer(request, bundle.path / path, hashes[path])

    routes = [Route("/{path:path}", file, methods=["GET", "HEAD"])]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=[*_HERE, host])
    return Starlette(routes=routes, middleware=[guard] * loopback)


class _Listing:
    """The files that the page asks for, as the manifest lists them now: a bundle that is made anew in the same place is
    served from then on, and one that is being spoilt is served as it was.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._file, self._hashes, self._seen = bundle.path / MANIFEST, _served(bundle), (0, 0)

    def now(self) -> Mapping[str, str]:
        """Path -> SHA-256; the manifest's own is empty, since it cannot hold it."""
        with contextlib.suppress(OSError, BundleError):
            state = self._file.stat()
            if (state.st_mtime_ns, state.st_ino) != self._seen:
                self._hashes = _served(Bundle.open(self._file.parent))
                self._seen = (state.st_mtime_ns, state.st_ino)
        return self._hashes


def _served(bundle: Bundle) -> Mapping[str, str]:
    model = str(bundle.manifest["model"])
    files = {file["path"]: str(file["sha256"]) for file in bundle.manifest["files"]}
    wanted = {path for path in files if path in {model, *_PARTS} or path.startswith((PAGE, "samples/", f"{model}/"))}
    return {MANIFEST: "", **{path: files[path] for path in wanted}}


async def _answer(request: Request, place: Path, sha256: str) -> Response:
    headers = {**HEADERS, "Vary": "Accept-Encoding"}
    suffix = place.suffix.lower()
    kind = _TYPES.get(suffix) or mimetypes.guess_type(place.name)[0] or "application/octet-stream"
    if not sha256:
        headers["Cache-Control"] = "no-store"
    else:
        hashed = request.query_params.get("sha256") == sha256
        headers |= {"ETag": f'"{sha256}"', "Cache-Control": _FOR_EVER if hashed else "no-cache"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
    settings: dict[str, Any] = {"media_type": kind, "headers": headers}
    if sha256 and "gzip" in request.headers.get("Accept-Encoding", ""):
        smaller = await run_in_threadpool(packed, place, sha256)
        if smaller:
            headers["Content-Encoding"] = "gzip"
            return FileResponse(smaller, **settings)
    return FileResponse(place, **settings)
