"""What widgets share: one ES module, a style on the tokens of the one look, and a page for where there is no kernel."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import display

import nbdeploy
from nbdeploy.core.look import output, quiet

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


class Lasting(anywidget.AnyWidget):
    """A widget of which a saved notebook shows a page of plain HTML. Subclasses bind `_page` and publish `state`."""

    state = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._id = uuid.uuid4().hex

    @abstractmethod
    def _page(self) -> str:
        """What is shown, as a fragment of HTML."""

    def _words(self) -> str:
        """What is shown, as plain text."""
        return repr(self)

    def _note(self) -> str:
        """HTML below the page where the widget does not live: how old it is."""
        return ""

    def _repr_mimebundle_(self, **settings: Any) -> Any:
        bundle = super()._repr_mimebundle_(**settings)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/html": self._page(), "text/plain": self._words()}, metadata

    def _ipython_display_(self) -> None:
        """Show the page, which stays in the saved notebook, and the live widget, which hides it.

        A host that knows widgets prefers them to any HTML in the same output, also where the kernel is gone.
        """
        view = f'<div data-nbd-static="{self._id}">{self._page()}{self._note()}</div>'
        display({"text/html": view, "text/plain": self._words()}, raw=True)
        bundle = super()._repr_mimebundle_()
        if bundle is not None:
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
            display({**data, "text/plain": repr(self)}, metadata=metadata, raw=True)


class LiveTable(Lasting):
    """A table that looks anew while a page shows it."""

    def _note(self) -> str:
        return output(quiet("As it was when the cell ran; run it again to see how it is now."))
