"""Links that a page gave: fetched one after another, with how far that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.fetch import Fetcher
from nbdeploy.data.collect.items import Item
from nbdeploy.data.collect.links import add_links


class Fetching:
    """Adds what links lead to to `collection`: `seen` gets each Item, `send` what the page is told."""

    def __init__(
        self, collection: Collection, seen: Callable[[Item], None], send: Callable[[dict[str, Any]], None]
    ) -> None:
        self._collection, self._seen, self._send = collection, seen, send
        self._fetcher: Fetcher | None = None

    def add(self, pairs: list[tuple[str, str]]) -> None:
        """Fetch links, each with its label. Raises DataError or OutputError."""
        self._fetcher = fetcher = Fetcher()
        total = len({url for url, _ in pairs})
        told: dict[str, Any] = {"kind": "fetching", "done": 0, "total": total, "failed": 0, "over": False}
        self._send(dict(told))
        try:
            for item in add_links(self._collection, pairs, fetcher=fetcher):
                told["done"] += 1
                told["failed"] += item.status == "refused"
                self._seen(item)
                self._send(dict(told))
        finally:
            self._fetcher = None
            stopped = fetcher.stopped.is_set() and told["done"] < total
            self._send({**told, "over": True, "stopped": stopped})

    def stop(self) -> None:
        """Fetch no more of them."""
        if self._fetcher is not None:
            self._fetcher.stop()
