"""nd.Collector: collect pictures in a notebook, by dropping, pasting, filming, linking, or with a telephone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.progress import quiet
from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.intake import plan
from nbdeploy.data.collect.items import Item, Source
from nbdeploy.data.collect.links import read_lines
from nbdeploy.data.records import count, shown
from nbdeploy.errors import DataError, NbdeployError
from nbdeploy.jupyter.widgets.base import Lasting, joined, style
from nbdeploy.jupyter.widgets.collector_look import row_of, static, thumbs
from nbdeploy.jupyter.widgets.fetching import Fetching
from nbdeploy.jupyter.widgets.inbox import Inbox, Worker

if TYPE_CHECKING:
    from nbdeploy.data.collect.contents import Count
    from nbdeploy.data.collect.phone import Phone
    from nbdeploy.data.imageset import ImageSet

_PARTS = ("core", "classes", "files", "camera", "links", "strip", "main")
_RECENT = 120
_BREATH_S = 0.25
_SOURCES = frozenset({"file", "paste", "webcam"})


class Collector(Lasting):
    """Collect pictures into the class folders of `folder`, screened as they come.

    `classes` are made where they are not there yet. Pictures come by dropping or choosing files, folders, archives,
    tables and videos, from the clipboard, the camera, links and, after `phone`, a telephone. What is in the folder is
    not changed; where each picture came from stands in ``folder/collected.jsonl``. `valid` and `seed` are those of the
    split that is shown. Raises DataError or OutputError for a folder that cannot be collected into.
    """

    _esm = joined("collector", _PARTS)
    _css = style("collector")

    def __init__(
        self, folder: str | os.PathLike[str], *, classes: Iterable[str] = (), valid: float = 0.2, seed: int = 42
    ) -> None:
        super().__init__()
        self.collection = Collection(folder, valid=valid, seed=seed)
        classes = [classes] if isinstance(classes, str) else list(classes)
        for label in classes:
            self.collection.add_class(label)
        self._inbox = Inbox(self.collection.folder)
        self._worker = Worker(self._failed, self._publish)
        self._fetching = Fetching(self.collection, self._seen, self.send)
        self._phone: Phone | None = None
        self._published = 0.0
        # A class keeps its key: one that is added comes last.
        self._order = [*dict.fromkeys(map(str.strip, classes))]
        self.on_msg(self._heard)
        self._publish()
        if len(self.collection):
            self._do(self.collection.look)

    @property
    def counts(self) -> dict[str, Count]:
        """Class -> its pictures, as they would be split now."""
        return self.collection.counts

    @property
    def images(self) -> ImageSet:
        """What is in the folder, as an ImageSet. Raises DataError where it cannot teach a classifier yet."""
        return self.collection.images

    def phone(
        self,
        host: str,
        *,
        port: int = 0,
        certfile: str | os.PathLike[str] | None = None,
        keyfile: str | os.PathLike[str] | None = None,
    ) -> Phone:
        """Let one telephone add pictures, by a page on `host` that the QR code in the widget opens, once.

        `host` is the address to listen on, as ``"192.168.1.20"``, or ``"0.0.0.0"`` for all of this machine's. Without
        `certfile` and `keyfile` the page is plain HTTP: it takes photos by the telephone's own camera app, since live
        cameras need HTTPS. It ends with ``phone.stop()``, `close`, or the kernel. Raises UsageError or OutputError.
        """
        from nbdeploy.data.collect.phone import Phone  # noqa: PLC0415 - loads a web server

        self._hang_up()
        self._phone = Phone(
            self.collection, host, port=port, certfile=certfile, keyfile=keyfile, seen=self._seen, changed=self._publish
        )
        self._publish()
        return self._phone

    def close(self) -> None:
        """End the phone page and what is under way, and take the widget off the page."""
        self._hang_up()
        self._fetching.stop()
        self._worker.end()
        self._inbox.clear()
        super().close()

    def _hang_up(self) -> None:
        if self._phone is not None:
            self._phone.stop()
            self._phone = None

    def _heard(self, _: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        answer = getattr(self, f"_on_{content.get('kind')}", None)
        if answer is None:
            return
        try:
            answer(content, buffers)
        except (NbdeployError, OSError, KeyError, TypeError, ValueError) as error:
            self._failed(error)

    def _on_hello(self, _: dict[str, Any], __: list[memoryview]) -> None:
        self._send_items(list(self.collection.items)[-_RECENT:], "recent")

    def _on_plan(self, content: dict[str, Any], _: list[memoryview]) -> None:
        found = plan([str(name) for name in content["files"]])
        self.send(
            {
                "kind": "planned",
                "drop": content["drop"],
                "as": found.kind,
                "labels": found.labels,
                "pictures": found.pictures,
                "words": found.words,
            }
        )

    def _on_part(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        one = self._inbox.part(content, buffers[0] if buffers else b"")
        whole = one.there == one.size
        if not whole or one.meta.get("drop"):
            self.send({"kind": "ack", "file": content["file"], "at": one.there, "stored": False})
        if whole and not one.meta.get("drop"):
            self._do(lambda: self._store(one.path, one.meta), quickly=True)

    def _store(self, path: Path, meta: dict[str, Any]) -> None:
        """Screen and store a file that is whole; only then the page is told that it is safe."""
        source = Source(meta["source"] if meta.get("source") in _SOURCES else "file", str(meta.get("name", ""))[:1000])
        session = str(meta.get("session", ""))[:120]
        try:
            batch = str(meta.get("batch", ""))[:120]
            item = self.collection.take(path, str(meta["label"]), source=source, session=session, batch=batch)
            self._seen(item)
        finally:
            path.unlink(missing_ok=True)
            self.send({"kind": "ack", "file": meta["file"], "at": int(meta["size"]), "stored": True})

    def _on_finish(self, content: dict[str, Any], _: list[memoryview]) -> None:
        place = self._inbox.take_drop(str(content["drop"]))
        self._do(lambda: self._look_into(place, content))

    def _look_into(self, place: Path, content: dict[str, Any]) -> None:
        entries = list(place.iterdir())
        what = entries[0] if len(entries) == 1 else place
        several = [what] if content.get("as") == "set" else entries
        try:
            for one in several:
                self.collection.add(
                    one,
                    str(content.get("label") or ""),
                    every=min(60.0, max(0.05, float(content.get("every") or 0.5))),
                    crop=bool(content.get("crop")),
                    seen=self._seen,
                    tell=self._tell,
                )
        finally:
            shutil.rmtree(place, ignore_errors=True)
            self.send({"kind": "finished", "drop": content["drop"]})

    def _on_cancel(self, content: dict[str, Any], _: list[memoryview]) -> None:
        self._inbox.cancel(str(content["what"]))

    def _on_links(self, content: dict[str, Any], _: list[memoryview]) -> None:
        pairs = read_lines(str(content["text"]), str(content.get("label") or ""))
        if not pairs:
            raise DataError("There is no link in it.", hint="Write one http(s) address a line.")
        self._do(lambda: self._fetching.add(pairs))

    def _on_stop(self, _: dict[str, Any], __: list[memoryview]) -> None:
        self._fetching.stop()

    def _on_class(self, content: dict[str, Any], _: list[memoryview]) -> None:
        label = self.collection.add_class(str(content["label"]))
        self._publish()
        self.send({"kind": "made", "label": label})

    def _on_rename(self, content: dict[str, Any], _: list[memoryview]) -> None:
        before = str(content["before"])
        after = self.collection.rename_class(before, str(content["after"]))
        self._order = [after if label == before else label for label in self._order]
        self._publish()
        self.send({"kind": "renamed", "before": before, "after": after})

    def _on_undo(self, _: dict[str, Any], __: list[memoryview]) -> None:
        self._do(lambda: self._took_back(self.collection.undo()))

    def _on_remove(self, content: dict[str, Any], _: list[memoryview]) -> None:
        ids = [str(one) for one in content["ids"]]
        self._do(lambda: self._took_back(self.collection.take_back(ids)))

    def _on_redo(self, _: dict[str, Any], __: list[memoryview]) -> None:
        def redo() -> None:
            back = self.collection.redo()
            self._send_items(list(back), "items")
            self._tell(f"Put back {count(len(back), 'picture')}." if back else "There is nothing to put back.")

        self._do(redo)

    def _took_back(self, items: tuple[Item, ...]) -> None:
        self.send({"kind": "gone", "ids": [item.id for item in items]})
        where = f"Took back {count(len(items), 'picture')}; Redo puts them back." if items else "Nothing to take back."
        self._tell(where)

    def _on_phone(self, content: dict[str, Any], _: list[memoryview]) -> None:
        if content.get("do") == "start":
            self.phone(str(content["host"]))
        elif content.get("do") == "again" and self._phone is not None:
            self._phone.renew()
        else:
            self._hang_up()
            self._publish()

    def _do(self, job: Callable[[], None], *, quickly: bool = False) -> None:
        def quietly() -> None:
            with quiet():
                job()
            if not quickly:
                self._publish()

        self._worker.do(quietly)

    def _seen(self, item: Item) -> None:
        self._send_items([item], "items")
        if time.monotonic() - self._published > _BREATH_S:
            self._publish()

    def _send_items(self, items: list[Item], kind: str) -> None:
        pictures = thumbs(self.collection.folder, items)
        self.send({"kind": kind, "items": [row_of(item) for item in items]}, buffers=pictures)

    def _tell(self, text: str) -> None:
        self.send({"kind": "said", "level": "note", "text": text})

    def _failed(self, error: Exception) -> None:
        self.send({"kind": "said", "level": "failed", "text": str(error), "name": type(error).__name__})

    def _publish(self) -> None:
        self._published = time.monotonic()
        counts = self.collection.counts
        self._order += [label for label in counts if label not in self._order]
        ranked = [(label, counts[label]) for label in self._order if label in counts]
        self.state = {
            "id": self._id,
            "folder": shown(self.collection.folder),
            "classes": [
                {"label": label, "train": one.train, "held": one.held, "sessions": one.sessions, "alone": one.alone}
                for label, one in ranked
            ],
            "undo": self.collection.can_undo,
            "redo": self.collection.can_redo,
            "phone": None if self._phone is None else self._phone.state(),
        }

    def __repr__(self) -> str:
        folder = shown(self.collection.folder)
        pictures, classes = len(self.collection), len(self.collection.classes)
        return f"Collector({count(pictures, 'picture')}, {count(classes, 'class')}; {folder})"

    def _page(self) -> str:
        return static(self.collection)
