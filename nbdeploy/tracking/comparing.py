"""Runs side by side: what was asked for, what came of it, and what was different around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbdeploy.core import look, summary
from nbdeploy.core.numbers import SPACE, number
from nbdeploy.errors import UsageError
from nbdeploy.tracking.run import Run
from nbdeploy.tracking.shown import less_is_better, show, title, took, when

if TYPE_CHECKING:
    import pandas as pd

_DIFFERS = "≠"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the runs have: in `held` for each run, None where it has it not."""

    part: str
    """"run", "parameters", "metrics", "data", "code" or "environment"."""
    name: str
    held: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have the same."""
        return any(value != self.held[0] for value in self.held)

    @property
    def best(self) -> int | None:
        """The place of the one best value of a metric."""
        figures = [number(value) for value in self.held]
        there = [value for value in figures if value is not None]
        if self.part != "metrics" or not self.differs or len(there) < 2:  # noqa: PLR2004 - a best one of several
            return None
        best = (min if less_is_better(self.name) else max)(there)
        return figures.index(best) if figures.count(best) == 1 else None


@dataclass(frozen=True)
class Comparison:
    """Runs beside one another. Rows that differ are marked and come first in their part."""

    runs: tuple[Run, ...]
    rows: tuple[Row, ...]

    def differences(self) -> list[Row]:
        """The rows in which the runs are not alike."""
        return [row for row in self.rows if row.differs]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"runs": [id], "rows": [{part, name, values, differs}]}``."""
        rows = [
            {"part": row.part, "name": row.name, "values": list(row.held), "differs": row.differs} for row in self.rows
        ]
        return {"runs": [run.id for run in self.runs], "rows": rows}

    def to_frame(self) -> pd.DataFrame:
        """One row a thing, indexed by part and name, a column a run, and ``differs``."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        index = pd.MultiIndex.from_tuples([(row.part, row.name) for row in self.rows], names=["part", "name"])
        frame = pd.DataFrame([row.held for row in self.rows], index=index, columns=[run.id for run in self.runs])
        return frame.assign(differs=[row.differs for row in self.rows])

    def __str__(self) -> str:
        cells: list[tuple[str, ...]] = [("", "", *(run.id for run in self.runs))]
        cells += [(_DIFFERS, f"{row.part} {title(row.name)}", *_texts(row)) for row in self.differences()]
        same = len(self.rows) - len(self.differences())
        return "\n".join([*summary.in_columns(cells), f"{same} more are the same."]).replace(SPACE, " ")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads, kinds = ("What differs", *(run.id for run in self.runs)), "H" + "l" * len(self.runs)
        differ, same = self.differences(), [row for row in self.rows if not row.differs]
        return look.output(
            look.head(f"{len(self.runs)} runs side by side"),
            look.table(_in_parts(differ, len(self.runs)), kinds, heads=heads, css="nbd-full"),
            look.details(
                f"{len(same)} more are the same in all",
                look.table(_in_parts(same, len(self.runs)), kinds, css="nbd-full"),
            ),
        )


def _in_parts(rows: Sequence[Row], runs: int) -> Iterable[list[str]]:
    """The cells of `rows`, with a line above each part that names it."""
    for part in dict.fromkeys(row.part for row in rows):
        yield [look.tag("span", "nbd-quiet", part.capitalize()), *[""] * runs]
        yield from (_cells(row) for row in rows if row.part == part)


def compare(runs: Sequence[Run]) -> Comparison:
    """Raises UsageError where there are not two to compare."""
    if len(runs) < 2:  # noqa: PLR2004 - side by side takes two
        raise UsageError("A comparison takes two runs.", hint='Type: nd.runs().compare("swift-otter", "calm-heron")')
    parts: list[tuple[str, list[Mapping[str, Any]]]] = [
        ("run", [_about(run) for run in runs]),
        ("parameters", [run.params for run in runs]),
        ("metrics", [run.metrics for run in runs]),
        ("data", [_data(run) for run in runs]),
        ("code", [_code(run) for run in runs]),
        ("environment", [_environment(run) for run in runs]),
    ]
    return Comparison(tuple(runs), tuple(row for part, held in parts for row in _rows(part, held)))


def _rows(part: str, held: Sequence[Mapping[str, Any]]) -> Iterable[Row]:
    names = dict.fromkeys(name for one in held for name in one)
    made = [Row(part, name, tuple(one.get(name) for one in held)) for name in names]
    return sorted(made, key=lambda row: not row.differs)


def _about(run: Run) -> dict[str, Any]:
    return {
        "kind": run.kind,
        "name": run.name,
        "status": run.status,
        "began": when(run.began),
        "took": took(run.took_s),
        "model_of": run.origin,
        "note": run.noted,
        "tags": ", ".join(run.tags),
    }


def _data(run: Run) -> dict[str, Any]:
    about = {key: run.data.get(key) for key in ("source", "fingerprint", "rows", "decided") if key in run.data}
    if "fingerprint" in about:
        about["fingerprint"] = str(about["fingerprint"])[:12]
    return {**about, "decisions": (run.data.get("decisions") or {}).get("lines", 0)} if about else {}


def _code(run: Run) -> dict[str, Any]:
    dirty = ", ".join(run.git.get("dirty", ()))
    return {"commit": run.git["commit"][:10], "branch": run.git["branch"], "changed": dirty} if run.git else {}


def _environment(run: Run) -> dict[str, Any]:
    plain = {key: value for key, value in run.environment.items() if key != "packages"}
    return {**plain, **run.environment.get("packages", {})}


def _texts(row: Row) -> list[str]:
    return [show(row.name, value) for value in row.held]


def _cells(row: Row) -> list[str]:
    """The best figure carries a sign and a word for those who do not see it."""
    texts: list[str] = [look.html(text) for text in _texts(row)]
    if row.best is not None:
        texts[row.best] = look.joined(texts[row.best], " ", look.sign("passed", "best"))
    mark = look.joined(title(row.name), f"{SPACE}{_DIFFERS}" if row.differs else "")
    return [mark, *(look.Html(text) for text in texts)]
