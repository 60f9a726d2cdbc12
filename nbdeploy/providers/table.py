"""All endpoints, as a table: in a terminal, in a notebook, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nbdeploy.core import look, numbers, summary
from nbdeploy.errors import NbdeployError
from nbdeploy.providers import store
from nbdeploy.providers.endpoint import Endpoint, Make

HEADS = ("Endpoint", "Model", "Provider", "Health", "Requests", "Errors", "p50", "p99")
_SIGNS = {"up": "passed", "down": "failed", "unknown": "not_run"}
_FROM_STATUS = ("state", "why", "requests", "errors", "p50_ms", "p99_ms")
_AT_A_TIME = 8
NONE_YET = 'There are no endpoints yet. Make one: nd.deploy(learn, provider="local")'


class Endpoints(Mapping[str, Endpoint]):
    """Name -> Endpoint, read anew each time: what was made or removed elsewhere is seen."""

    def __init__(self, *, make: Make | None = None) -> None:
        self._make = make

    def __getitem__(self, name: str) -> Endpoint:
        return Endpoint.load(name, make=self._make)

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def __iter__(self) -> Iterator[str]:
        return iter([kept.name for kept in store.every()])

    def __len__(self) -> int:
        return len(store.every())

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary an endpoint: ``name provider url model version state why requests errors p50_ms p99_ms canary``.

        All are asked at the same time.
        """
        every = store.every()
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return list(pool.map(self._row, every))

    def _row(self, kept: store.Kept) -> dict[str, Any]:
        model = kept.record.get("model", {})
        row = {
            "name": kept.name,
            "provider": kept.provider,
            "url": str(kept.record.get("url", "")),
            "model": str(model.get("name", "")),
            "version": str(model.get("version", "")),
            "canary": kept.record.get("canary"),
            "back": str((kept.record.get("models") or [{}, {}])[-2:][0].get("model", {}).get("version", "")),
            "requests": None,
            "errors": None,
            "p50_ms": None,
            "p99_ms": None,
        }
        row["back"] = row["back"] if len(kept.record.get("models", [])) > 1 else ""
        try:
            status = self[kept.name].status()
        except NbdeployError as error:
            status = {"state": "unknown", "why": error.message}
        return {**row, **{key: value for key, value in status.items() if key in _FROM_STATUS}}

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"endpoints": [row]}``."""
        return {"endpoints": self.rows()}

    def __repr__(self) -> str:
        return f"Endpoints({', '.join(self)})"

    def __str__(self) -> str:
        return self.as_text(self.rows())

    def as_text(self, rows: list[dict[str, Any]]) -> str:
        """`rows` as aligned lines."""
        if not rows:
            return NONE_YET
        cells = [HEADS, *((row["name"], *shown(row)[:2], health(row), *shown(row)[2:]) for row in rows)]
        lines = summary.in_columns(cells, right=(4, 5, 6, 7))
        for row in rows:
            lines += [f"{row['name']}: {line}" for line in remarks(row)]
        return "\n".join(lines).replace(numbers.SPACE, " ")

    def _repr_html_(self) -> str:
        return page(self.rows())


def shown(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Model, provider, requests, errors, p50, p99 as people read them; a dash for what is not known."""

    def figure(key: str, say: Any) -> str:
        return "–" if row[key] is None else str(say(row[key]))

    return (
        f"{row['model']} {row['version']}".strip(),
        row["provider"],
        figure("requests", "{:,}".format),
        figure("errors", "{:,}".format),
        figure("p50_ms", numbers.milliseconds),
        figure("p99_ms", numbers.milliseconds),
    )


def health(row: Mapping[str, Any]) -> str:
    """The state as a shape and a word."""
    return f"{look.SIGNS[_SIGNS[row['state']]]} {row['state']}"


def remarks(row: Mapping[str, Any]) -> list[str]:
    """What a row has no column for."""
    canary = row["canary"]
    said = (
        [f"{numbers.percent(canary['share'])} of requests go to {canary['name']} {canary['version']}"] if canary else []
    )
    return [*said, *([row["why"]] if row["state"] != "up" and row["why"] else [])]


def page(rows: list[dict[str, Any]]) -> str:
    """A fragment of HTML with its own style."""
    if not rows:
        return look.output(
            look.head("No endpoints yet"), look.quiet("Make one: ", look.tag("code", "nbd-mono", _EXAMPLE))
        )
    cells = []
    for row in rows:
        model, provider, *figures = shown(row)
        where = look.quiet(row["url"] or "no address yet")
        named = look.joined(row["name"], where)
        cells.append((named, model, provider, look.sign(_SIGNS[row["state"]], row["state"]), *figures))
    up = sum(row["state"] == "up" for row in rows)
    notes = [look.quiet(f"{row['name']}: {line}") for row in rows for line in remarks(row)]
    return look.output(
        look.head(f"{up} of {len(rows)} {'endpoint' if len(rows) == 1 else 'endpoints'} up"),
        look.table(cells, "htllnnnn", heads=HEADS, css="nbd-full"),
        *notes,
    )


_EXAMPLE = 'nd.deploy(learn, provider="local")'
