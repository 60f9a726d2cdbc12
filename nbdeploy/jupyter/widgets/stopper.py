"""A button below the running cell that ends its work: its messages come on a subshell while the kernel is busy."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython
from IPython.display import display

from nbdeploy.jupyter.widgets.base import joined, style


class Stopper(anywidget.AnyWidget):
    """The button "Stop, keep the best weights": calls `pressed`, in another thread, once.

    A page asks first whether the kernel hears it while it is busy, which takes ipykernel 7 and a page that uses its
    subshells (JupyterLab 4.4, Notebook 7.4). Until it answers there is no button, only words on the kernel's own stop.
    """

    _esm = joined("stopper", ("button",))
    _css = style("stopper")
    state = traitlets.Dict({"stopping": False}).tag(sync=True)

    def __init__(self, pressed: Callable[[], None]) -> None:
        super().__init__()
        self._pressed = pressed
        self._place = uuid.uuid4().hex
        self.on_msg(self._heard)

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "hello":
            self.send({"kind": "here"})
        elif kind == "stop" and not self.state["stopping"]:
            self.state = {"stopping": True}
            self._pressed()

    def show(self) -> None:
        """Put it below what the cell has shown."""
        display(self, display_id=self._place)

    def close(self) -> None:
        """The work is over: nothing of it stays on the page or in the notebook."""
        shell = get_ipython()
        if shell is not None and self.comm is not None:
            data = {"text/html": "", "text/plain": ""}
            shell.display_pub.publish(data=data, metadata={}, transient={"display_id": self._place}, update=True)
        super().close()
