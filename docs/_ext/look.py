"""The site around the pages: the look of nbdeploy, and a first page that leads to the index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TOKENS = Path(__file__).resolve().parents[2] / "nbdeploy" / "templates" / "tokens.css"
FIRST = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>nbdeploy</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">nbdeploy</a></html>
"""


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        out = Path(app.outdir)
        (out / "index.html").write_text(FIRST, encoding="utf-8")
        tokens = TOKENS.read_text(encoding="utf-8").replace(".nbd", "body")  # Furo says the theme on body
        (out / "_static" / "tokens.css").write_text(tokens, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry."""
    app.add_css_file("tokens.css", priority=400)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True}
