"""The one look of everything that nbdeploy shows in a notebook: small pieces of HTML that carry their own style."""

from __future__ import annotations

import base64
import io
import math
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.numbers import SPACE

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIGNS = {"passed": "✓", "failed": "✗", "not_run": "–", "warned": "!"}
_TOKENS = Path(__file__).parent.parent / "templates" / "tokens.css"
_THUMB = 80
"""Pixels a side: twice what is shown, for sharp screens."""
_FROM, _UPTO = 0.0005, 0.9995


class Html(str):
    """Text that is HTML already. Any other text given to a function of this module is escaped."""

    __slots__ = ()


def output(*parts: str) -> str:
    """One output of a cell, whole: the parts below one another, and the style they need."""
    return f'<style>{_style()}</style><div class="nbd nbd-out">{"".join(html(part) for part in parts if part)}</div>'


def html(text: str) -> str:
    """`text`, escaped unless it is Html."""
    return text if isinstance(text, Html) else escape(text)


def joined(*parts: str) -> Html:
    """The parts one after another."""
    return Html("".join(html(part) for part in parts))


def tag(name: str, css: str, *parts: str) -> Html:
    """An element of that name and those classes."""
    return Html(f'<{name} class="{css}">{joined(*parts)}</{name}>')


def head(*parts: str) -> Html:
    """The line that says what this is."""
    return tag("div", "nbd-head", *parts)


def quiet(*parts: str) -> Html:
    """A line of small print."""
    return tag("div", "nbd-quiet", *parts)


def sign(kind: str, word: str = "") -> Html:
    """An outcome (a key of `SIGNS`) as its shape, its word and its colour, never the colour alone."""
    return tag("span", f"nbd-sign nbd-{kind}", f"{SIGNS[kind]}{SPACE}{word or kind.replace('_', ' ')}")


def table(rows: Iterable[Sequence[str]], kinds: str, *, heads: Sequence[str] = (), css: str = "") -> Html:
    """A table. `kinds` has a letter a column: ``h`` names the row (``H``: on one line), ``t`` text, ``l`` text on one
    line, ``n`` a number, ``w`` as wide as there is room, ``p`` pictures.
    """
    named = {"H": "nbd-l", "n": "nbd-n", "l": "nbd-l", "w": "nbd-wide", "p": "nbd-thumbs"}
    classes = {kind: f' class="{css}"' for kind, css in named.items()}

    def cell(kind: str, text: str) -> str:
        name, scope = ("th", ' scope="row"') if kind in "hH" else ("td", "")
        return f"<{name}{scope}{classes.get(kind, '')}>{html(text)}</{name}>"

    body = "".join(f"<tr>{''.join(map(cell, kinds, row))}</tr>" for row in rows)
    top = "".join(
        f'<th scope="col"{classes.get(kind, "")}>{html(text)}</th>' for kind, text in zip(kinds, heads, strict=False)
    )
    top = f"<thead><tr>{top}</tr></thead>" if heads else ""
    return Html(f'<table class="{css}">{top}<tbody>{body}</tbody></table>')


def details(summary: str, *parts: str) -> Html:
    """Parts that open with a click or the Enter key."""
    return Html(f"<details><summary>{html(summary)}</summary>{joined(*parts)}</details>")


def bar(share: float) -> Html:
    """A bar filled to `share`, 0..1. The number stands beside it, so it is hidden from screen readers."""
    width = 100 * min(1.0, max(0.0, share))
    return Html(
        f'<div class="nbd-bar" aria-hidden="true"><span class="nbd-fill" style="width:{width:.1f}%"></span></div>'
    )


def chance(probability: float) -> str:
    """A probability 0..1 with one decimal; what rounds to certainty either way is said to be near it."""
    if not math.isfinite(probability):
        return "not a number"
    if probability >= _UPTO:
        return f"> 99.9{SPACE}%"
    return f"< 0.1{SPACE}%" if probability < _FROM else f"{100 * probability:.1f}{SPACE}%"


def thumbnail(file: str | Path, *, large: bool = False) -> Html:
    """A picture made small, in the page itself; a neutral square where it cannot be read.

    It is turned as its EXIF says, and more than 8 bits are stretched: as ``nd.train`` sees it.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a notebook shows pictures

    path, css = Path(file), "nbd-thumb nbd-large" if large else "nbd-thumb"
    name = escape(os.fsencode(path.name).decode("utf-8", "replace"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                opened.draft("RGB", (_THUMB, _THUMB))
                picture = _stretched(path, opened) or ImageOps.exif_transpose(opened).convert("RGB")
            return picture_of(picture, path.name, css=css)
    except Exception:  # noqa: BLE001 - the file may be gone since; a look never fails
        return Html(f'<span class="{css}" role="img" aria-label="{name}: cannot be shown"></span>')


def picture_of(picture: Picture, name: str, *, css: str = "nbd-thumb nbd-large") -> Html:
    """An opened RGB picture, in the page itself, made small: outputs are saved in the notebook."""
    picture.thumbnail((_THUMB * 2, _THUMB * 2))  # small pictures keep their pixels
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=70)
    uri = base64.b64encode(data.getvalue()).decode()
    title = escape(os.fsencode(name).decode("utf-8", "replace"))
    return Html(f'<img class="{css}" alt="" src="data:image/webp;base64,{uri}" title="{title}">')


def _stretched(path: Path, opened: Picture) -> Picture | None:
    """A picture of more than 8 bits with its values spread over 0..255; None for others."""
    if not opened.mode.startswith(("I", "F")):
        return None
    from nbdeploy.templates.python.predict import decode  # noqa: PLC0415

    low, high = (float(end) for end in opened.getextrema())  # type: ignore[arg-type] # pixels of one channel
    span = [low, max(high, low + 1e-9)]
    return decode(path, channels=3, exif=True, ranges={"integers": span, "floats": span})


@cache
def _style() -> str:
    """The tokens and the rules for outputs, without what only people need."""
    text = _TOKENS.read_text("utf-8") + Path(__file__).with_suffix(".css").read_text("utf-8")
    text = re.sub(r"/\*.*?\*/|@media print.*?\}\s*\}", "", text, flags=re.DOTALL)
    return re.sub(r"\s*([{};])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()
