"""What every widget shares: its one ES module, and its style on the tokens of the one look."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nbdeploy

_HERE = Path(__file__).parent
_TOKENS = Path(nbdeploy.__file__).parent / "templates" / "tokens.css"


def joined(name: str, parts: Iterable[str]) -> str:
    """The widget's ES module, for ``_esm``, from elements.js and several files in the folder of its name.

    A notebook gets one module as text, in which ``import "./part.js"`` finds nothing. So the parts are plain code
    without imports that share one scope, in this order; only the last one exports.
    """
    files = (_HERE / "elements.js", *(_HERE / name / f"{part}.js" for part in parts))
    return "\n".join(file.read_text("utf-8") for file in files)


def style(name: str) -> str:
    """The tokens and the widget's own rules, for ``_css``. The widget's root element has the class ``nbd``."""
    return _TOKENS.read_text("utf-8") + (_HERE / f"{name}.css").read_text("utf-8")
