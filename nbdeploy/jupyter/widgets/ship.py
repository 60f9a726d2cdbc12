"""nd.Ship: one click from a model to a verified bundle or endpoint, with every step to be seen, stopped and undone."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data

from nbdeploy.errors import NbdeployError, UsageError
from nbdeploy.jupyter.learners import IPYTHONS_OWN
from nbdeploy.jupyter.widgets.base import joined, style
from nbdeploy.jupyter.widgets.ship_look import card_of, choices_of, offer_of, shown, static
from nbdeploy.model import kind_of
from nbdeploy.shipping.planning import plan
from nbdeploy.shipping.served import WebApp
from nbdeploy.shipping.shipment import CHOOSING, SHIPPED, WORKING, Shipment, explain, shipment
from nbdeploy.shipping.wanted import Wanted
from nbdeploy.shipping.zipped import zipped

_PARTS = ("parts", "choose", "steps", "result", "panel")
_BREATH_S = 0.2
_FIELDS = ("target", "recipe", "provider", "name", "out", "endpoint")


class Ship(anywidget.AnyWidget):
    """A panel that deploys `model`: a Learner, a Program, or the folder of a saved one.

    `target`, `recipe`, `provider`, `name`, `out`, `endpoint` and `settings` are what it begins with, as `nd.deploy`
    takes them; `more` are other arguments of `nd.deploy`. The work is done beside, so that cells can go on. It belongs
    to the model, not to the panel: a panel that is closed, or a page that is left, does not stop it, and ``nd.Ship``
    of the same model shows it again. Raises UsageError for what is no model, UnknownName.
    """

    _esm = joined("ship", _PARTS)
    _css = style("ship")
    state = traitlets.Dict().tag(sync=True)
    offer = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        model: Any,
        *,
        target: str | None = None,
        recipe: str | None = None,
        provider: str | None = None,
        name: str = "",
        out: str = "",
        endpoint: str = "",
        settings: dict[str, str] | None = None,
        code: str = "",
        **more: Any,
    ) -> None:
        self.model = model
        self.shipment: Shipment = shipment(model)
        self._code = code or _name_of(model)
        asked = {"target": target, "recipe": recipe, "provider": provider, "name": name, "out": out}
        wanted = {"endpoint": endpoint, "settings": settings or {}, "more": more}
        self._offer = choices_of(asked, wanted, kind_of(model) or "image")
        self._id = f"nbd-ship-{uuid.uuid4().hex}"
        self._published, self._late = 0.0, False
        self._lock = threading.Lock()
        self._web = WebApp()
        self._plan: dict[str, Any] | None = None
        self._card: tuple[Any, dict[str, Any]] = (None, {})
        self._told: dict[str, str] = {"kind": "", "text": ""}
        self._drawn = ""
        self._displayed = False
        super().__init__(offer=offer_of(self._offer))
        self.wanted: Wanted = self._offer.first if self.shipment.state == CHOOSING else self.shipment.wanted
        self.on_msg(self._heard)
        self.shipment.watchers.append(self._changed)
        self._publish()

    @property
    def result(self) -> Any:
        """The Bundle or the Endpoint; None before it is there."""
        return self.shipment.result if self.shipment.state == SHIPPED else None

    def deploy(self) -> None:
        """What the button does: begin with what is chosen. Raises UsageError, MissingExtra."""
        self._plan, self._told = None, {"kind": "", "text": ""}
        self._web.stop()
        self.shipment.start(self.wanted)

    def wait(self, timeout: float | None = None) -> Any:
        """The Bundle or the Endpoint, when it is there; None where it was cancelled. Raises what went wrong."""
        return self.shipment.wait(timeout)

    def cancel(self) -> None:
        """Stop the work; what was half made goes away."""
        self.shipment.cancel()

    def undo(self) -> None:
        """Take back what was shipped: what was there before is there again. Raises OutputError, ProviderError."""
        self._web.stop()
        self.shipment.undo()

    def redo(self) -> None:
        """Put the bundle that was taken back there again. Raises OutputError."""
        self.shipment.redo()

    def line(self) -> str:
        """The line of Python that does what is chosen."""
        ahead = self.shipment.estimate(self.wanted)
        return self.wanted.line(self._code, overwrite=ahead.overwrite, secret=self._offer.secret(self.wanted.provider))

    def close(self) -> None:
        """Take the panel away. The work goes on: ``nd.Ship`` of the same model shows it again."""
        with contextlib.suppress(ValueError):
            self.shipment.watchers.remove(self._changed)
        self._web.stop()
        super().close()

    def __repr__(self) -> str:
        return f"Ship({self.shipment.about.name!r}, {self.shipment.state})"

    def _ipython_display_(self) -> None:
        # JupyterLab shows only the richest form of an output, which is an error once the kernel is gone. So the page
        # for then is an output of its own below, which the living panel hides.
        bundle = super()._repr_mimebundle_()
        if bundle is None:
            return
        data, metadata = bundle
        publish_display_data({**data, "text/plain": repr(self)}, metadata)
        self._displayed = True
        self._draw_static(update=False)

    def _draw_static(self, *, update: bool) -> None:
        self._drawn = self.shipment.state
        page = static(self.shipment, self._the_card(), self._id)
        data = {"text/html": page, "text/plain": repr(self)}
        publish_display_data(data, transient={"display_id": self._id}, update=update)

    def _changed(self) -> None:
        """Something has changed: published at once where it is a step, and counts at most some times a second."""
        now = (self.shipment.state, tuple((one.name, one.state, one.note) for one in self.shipment.stages.every))
        if now != getattr(self, "_last", None) or time.monotonic() - self._published >= _BREATH_S:
            self._last = now
            self._publish()

    def _publish(self) -> None:
        with self._lock:
            self._published = time.monotonic()
            self.state = {
                "id": self._id,
                **shown(self.shipment, self.wanted),
                "line": self._line(),
                "plan": self._plan,
                "told": self._told,
                "card": self._the_card(),
                "page": self._web.shown,
            }
        if self._displayed and self.shipment.state not in {self._drawn, CHOOSING}:
            with contextlib.suppress(Exception):  # a notebook that is gone
                self._draw_static(update=True)

    def _line(self) -> str:
        try:
            return self.line()
        except NbdeployError:
            return ""

    def _the_card(self) -> dict[str, Any]:
        """The result as the page gets it; read once."""
        if self.shipment.state != SHIPPED:
            return {}
        if self._card[0] is not self.shipment.result:
            self._card = (self.shipment.result, card_of(self.shipment))
        return self._card[1]

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        """A message of the page. What takes time is done beside."""
        if not isinstance(content, dict):
            return
        kind = str(content.get("kind"))
        if kind == "ready":
            self._publish()
        elif kind in _QUICK:
            self._do(kind, content)
        elif kind in _SLOW:
            threading.Thread(target=self._do, args=(kind, content), daemon=True, name=f"nbdeploy-{kind}").start()

    def _do(self, kind: str, content: dict[str, Any]) -> None:
        self._told = {"kind": "", "text": ""}
        try:
            getattr(self, f"_on_{kind}")(content)
        except NbdeployError as error:
            self._told = {"kind": "failed", "text": explain(error)}
        except Exception as error:  # noqa: BLE001 - an error in here would be seen by nobody
            self._told = {"kind": "failed", "text": f"{type(error).__name__}: {error}"}
        self._publish()

    def _on_choose(self, content: dict[str, Any]) -> None:
        if self.shipment.state == WORKING:
            return
        asked = content.get("wanted") or {}
        fields = {name: str(asked.get(name, "")) for name in _FIELDS}
        settings = {str(key): str(value) for key, value in (asked.get("settings") or {}).items()}
        self.wanted = self._offer.mended(Wanted(**fields, settings=settings, more=self.wanted.more))
        self._plan = None

    def _on_deploy(self, content: dict[str, Any]) -> None:
        self._on_choose(content)
        self.deploy()

    def _on_retry(self, content: dict[str, Any]) -> None:
        reason = str(content.get("reason", "")).strip()
        if content.get("accept") and not reason:
            raise UsageError("Why is it good enough?", hint="The reason is written into the bundle.")
        chosen = self.shipment.wanted
        self.wanted = Wanted(
            **{name: getattr(chosen, name) for name in _FIELDS},
            settings=chosen.settings,
            more=chosen.more,
            accept_failed=reason,
        )
        try:
            self.deploy()
        finally:
            self.wanted = chosen

    def _on_cancel(self, _content: dict[str, Any]) -> None:
        self.cancel()

    def _on_again(self, _content: dict[str, Any]) -> None:
        self._web.stop()
        self.shipment.again()

    def _on_undo(self, _content: dict[str, Any]) -> None:
        self.undo()

    def _on_redo(self, _content: dict[str, Any]) -> None:
        self.redo()

    def _on_plan(self, content: dict[str, Any]) -> None:
        self._on_choose(content)
        self._plan = plan(self.shipment.about, self.wanted)

    def _on_zip(self, _content: dict[str, Any]) -> None:
        bundle = self.shipment.bundle
        if bundle is None:
            raise UsageError("There is no bundle here to hand over.", hint="Deploy first.")
        self.send({"kind": "zip", "name": f"{bundle.path.name}.zip"}, [zipped(bundle.path)])

    def _on_report(self, _content: dict[str, Any]) -> None:
        bundle, kept = self.shipment.bundle, getattr(self.shipment.error, "kept", None)
        folder = bundle.path if bundle is not None else kept
        if folder is None or not (Path(folder) / "report.html").is_file():
            raise UsageError("There is no report.", hint="Deploy first.")
        self.send({"kind": "report"}, [(Path(folder) / "report.html").read_bytes()])

    def _on_serve(self, content: dict[str, Any]) -> None:
        bundle = self.shipment.bundle
        if bundle is None:
            raise UsageError("There is no page here to open.", hint="Deploy to the target web first.")
        network = bool(content.get("network"))
        self._web.open(bundle.path, network=network)
        to = "anyone on your network" if network else "this computer only"
        self._told = {"kind": "done", "text": f"The web app at {self._web.shown['url']} is open to {to}."}

    def _on_stop(self, _content: dict[str, Any]) -> None:
        self._web.stop()
        self._told = {"kind": "done", "text": "The web app is no longer served."}


_QUICK = frozenset({"choose", "cancel"})
_SLOW = frozenset({"deploy", "retry", "again", "undo", "redo", "plan", "zip", "report", "serve", "stop"})


def _name_of(model: Any) -> str:
    """The Python text of the model: a variable's name, or a folder in quotes."""
    if isinstance(model, str | Path):
        return json.dumps(str(model), ensure_ascii=False)
    find: Callable[[], Any] = get_ipython
    space = getattr(find(), "user_ns", {})
    names = (name for name, value in list(space.items()) if value is model and not IPYTHONS_OWN.fullmatch(name))
    return next(names, "learn")
