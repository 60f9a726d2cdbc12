"""A page to try the model with a picture, a row or a text, and one that shows what can be asked.

Nothing comes from elsewhere.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .model import Model
from .refusal import Refused, encoded

_OFFERED = 200
"""Categories of a column that the form offers; others can be written."""
_HERE = Path(__file__).resolve().parent
# In a bundle the look lies beside the page; in nbdeploy itself all pages share it.
_LOOK = (_HERE / "page" / "tokens.css", _HERE.parents[1] / "templates" / "tokens.css")
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_FILES = ("page.css", "page.js", "docs.js", "tokens.css")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cross-Origin-Opener-Policy": "same-origin"}


class Page:
    """`asked`: a token is needed, so the page has a field for it."""

    def __init__(self, model: Model, *, asked: bool) -> None:
        about = {"NAME": model.name, "VERSION": model.version, "ASKED": "yes" if asked else "no", "NOUN": model.noun}
        self._columns = model.columns
        self._pages = {name: _filled(name, about) for name in ("index.html", "docs.html")}

    def routes(self) -> list[Route]:
        """``/``, ``/docs`` and what they need."""
        return [
            Route("/", self.index),
            Route("/docs", self.docs),
            *(Route(f"/page/{name}", self.file) for name in _FILES),
        ]

    def guarded(self) -> list[Route]:
        """What only those are told who may ask."""
        return [Route("/page/columns.json", self.columns)]

    async def index(self, _: Request) -> Response:
        """To try it."""
        return Response(self._pages["index.html"], media_type="text/html", headers=_HEADERS)

    async def docs(self, _: Request) -> Response:
        """What can be asked."""
        return Response(self._pages["docs.html"], media_type="text/html", headers=_HEADERS)

    async def columns(self, _: Request) -> Response:
        """What the form asks for: ``name kind categories`` of each column; none where the model takes no rows."""
        shown = [{**column, "categories": column["categories"][:_OFFERED]} for column in self._columns]
        return Response(encoded(shown), media_type="application/json", headers=_HEADERS)

    async def file(self, request: Request) -> Response:
        """A part of them."""
        name = request.url.path.rpartition("/")[2]
        places = _LOOK if name == "tokens.css" else (_HERE / "page" / name,)
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise Refused(404, "no_such_route", "There is nothing at this address.", hint="GET /docs says what is.")
        return Response(
            found.read_bytes(), media_type=_TYPES[found.suffix], headers={**_HEADERS, "Cache-Control": "no-cache"}
        )


def _filled(name: str, about: dict[str, str]) -> str:
    text = (_HERE / "page" / name).read_text(encoding="utf-8")
    for key, value in about.items():
        text = text.replace(f"{{{{{key}}}}}", escape(value))
    return text
