"""What the telephone's page asks of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import nbdeploy.templates
from nbdeploy.data.collect.phone import MOST_BYTES
from nbdeploy.errors import NbdeployError

if TYPE_CHECKING:
    from nbdeploy.data.collect.phone import Phone

COOKIE = "nbdeploy_phone"
_HERE = Path(nbdeploy.templates.__file__).parent
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
        "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MOST_CODE = 200
_PART = re.compile(r"[0-9]{1,4}")


def _file(kind: str, *names: str) -> Route:
    text = "\n".join((_HERE / name).read_text("utf-8") for name in names)
    path = "/" if kind == "text/html" else f"/{names[-1]}"

    async def answer(_: Request) -> Response:
        return Response(text, media_type=kind, headers=_HEADERS)

    return Route(path, answer)


class _Answers:
    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def _knows(self, request: Request) -> bool:
        # A header of our own cannot be sent by a page of somebody else.
        return "x-nbdeploy" in request.headers and self.phone.door.knows(request.cookies.get(COOKIE, ""))

    async def enter(self, request: Request) -> Response:
        code = (await _body(request, _MOST_CODE) or b"").decode("utf-8", "replace")
        cookie = self.phone.door.open(code)
        if not cookie:
            return _refusal(403, "This code was used already, or is too old. Ask for a new one in the notebook.")
        await run_in_threadpool(self.phone.entered, request.client.host if request.client else "")
        answer = JSONResponse({"ok": True}, headers=_HEADERS)
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=self.phone.secure)
        return answer

    async def classes(self, request: Request) -> Response:
        if not self._knows(request):
            return _refusal(403, "Scan the code in the notebook.")
        counts = await run_in_threadpool(lambda: self.phone.collection.counts)
        rows = [{"label": label, "number": one.train + one.held} for label, one in counts.items()]
        return JSONResponse({"name": self.phone.collection.folder.name, "classes": rows}, headers=_HEADERS)

    async def photo(self, request: Request) -> Response:
        if not self._knows(request):
            return _refusal(403, "Scan the code in the notebook.")
        if self.phone.door.too_fast():
            return _refusal(429, "Too many pictures at once.")
        label, part = request.query_params.get("label", ""), request.query_params.get("part", "1")
        if label not in self.phone.collection.classes or not _PART.fullmatch(part):
            return _refusal(400, "There is no such class any more.")
        data = await _body(request, MOST_BYTES)
        if data is None:
            return _refusal(413, f"That picture is larger than {MOST_BYTES >> 20} MB.")
        try:
            item = await run_in_threadpool(self.phone.took, data, label, int(part))
        except NbdeployError as error:
            return _refusal(507, error.message)
        odd = [badge.kind.replace("_", " ") for badge in item.badges if badge.weight == "warn"]
        said = {
            "status": item.status,
            "said": ", ".join(odd) if item.status == "kept" else item.said,
            "warn": bool(odd),
        }
        return JSONResponse(said, headers=_HEADERS)


def _refusal(code: int, text: str) -> Response:
    return JSONResponse({"error": text}, code, headers=_HEADERS)


def app_of(phone: Phone) -> Starlette:
    """The application: a page without secrets, a door, the classes, and a place to put pictures."""
    answers = _Answers(phone)
    return Starlette(
        routes=[
            _file("text/html", "phone.html"),
            _file("text/css", "tokens.css", "phone.css"),
            _file("text/javascript", "phone.js"),
            Route("/enter", answers.enter, methods=["POST"]),
            Route("/classes", answers.classes),
            Route("/photo", answers.photo, methods=["POST"]),
        ]
    )


async def _body(request: Request, most: int) -> bytes | None:
    """The body, or None for one that is too long, which is not read to its end."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        return None
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                return None
    except ClientDisconnect:
        return None
    return bytes(data)
