"""Runs: a table of what was done, newest first, that can be narrowed, sorted, compared and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from nbdeploy.core import look, numbers, summary
from nbdeploy.errors import UnknownName, UsageError
from nbdeploy.tracking import store
from nbdeploy.tracking.recording import KINDS, project
from nbdeploy.tracking.run import Read, Run
from nbdeploy.tracking.shown import SIGNS, less_is_better, metric_columns, param_columns, show, sign, title, took, when
from nbdeploy.tracking.where import Where

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nbdeploy.tracking.comparing import Comparison

_SHOWN = 30
_STATUSES = tuple(SIGNS)
NONE_YET = "There are no runs here yet. Each nd.train, nd.tune and nd.deploy is one from now on."


@dataclass(frozen=True)
class Asked:
    """What was asked for: as the arguments of `find`."""

    kind: str | None = None
    where: str | None = None
    status: str | None = None
    all: bool = False
    removed: bool = False


@dataclass(frozen=True)
class Runs(Sequence[Run]):
    """Runs, the newest first. A run is found by its id, ``runs["swift-otter"]``, or its place, ``runs[0]``."""

    runs: tuple[Run, ...]
    asked: Asked = field(default_factory=Asked, repr=False)
    hidden: int = 0
    """Trials of tunes that are not listed."""
    _read: Read | None = field(default=None, repr=False, compare=False)

    @overload
    def __getitem__(self, at: int | str) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | str | slice) -> Run | Runs:
        if isinstance(at, slice):
            return replace(self, runs=self.runs[at])
        if isinstance(at, int):
            return self.runs[at]
        found = next((run for run in self.runs if run.id == at), None)
        return found or Run.of(store.one(at), self._read)  # one of another folder, or a removed one, too

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def where(self, condition: str) -> Runs:
        """Those that fulfil it: ``"accuracy > .9 and arch == 'resnet18'"``. Raises UsageError, UnknownName."""
        wanted = Where(condition)
        values = [run.values() for run in self.runs]
        if values:
            texts = {value for one in values for value in one.values() if isinstance(value, str)}
            wanted.check({name for one in values for name in one}, texts)
        kept = (run for run, one in zip(self.runs, values, strict=True) if wanted(one))
        return replace(self, runs=tuple(kept))

    def sort(self, by: str, *, ascending: bool | None = None) -> Runs:
        """In the order of a parameter or metric, the best first where `ascending` does not say; without it last."""
        values = {run.id: run.values() for run in self.runs}
        self._check(by)
        up = less_is_better(by) if ascending is None else ascending
        there = [run for run in self.runs if values[run.id].get(by) is not None]
        figures = all(numbers.number(values[run.id][by]) is not None for run in there)

        def key(run: Run) -> Any:
            value = values[run.id][by]
            return float(value) if figures else str(value)

        ordered = sorted(there, key=key, reverse=not up)
        return replace(self, runs=(*ordered, *(run for run in self.runs if run not in there)))

    def best(self, metric: str) -> Run:
        """The run with the best value of `metric`: the lowest of losses, sizes and times, else the highest.

        Raises UnknownName where no run has it.
        """
        self._check(metric)
        there = [run for run in self.runs if numbers.number(run.values().get(metric)) is not None]
        if not there:
            known = {name for run in self.runs for name in run.metrics}
            raise UnknownName("metric", metric, known)
        return replace(self, runs=tuple(there)).sort(metric)[0]

    def compare(self, *runs: str | Run) -> Comparison:
        """Side by side, with what differs marked; all of these runs where none is named. Raises UsageError."""
        from nbdeploy.tracking.comparing import compare  # noqa: PLC0415 - it knows runs itself

        return compare([self[run] if isinstance(run, str) else run for run in runs] or list(self.runs))

    def plot(self, *metrics: str) -> Figure:
        """Parallel coordinates: an axis a parameter and metric, a line a run. Raises UsageError."""
        from nbdeploy.tracking.plots import parallel  # noqa: PLC0415 - matplotlib

        return parallel(self, metrics)

    def history(self, *metrics: str) -> Figure:
        """The figures epoch by epoch of each run, and how its final ones went over time. Raises UsageError."""
        from nbdeploy.tracking.plots import history  # noqa: PLC0415 - matplotlib

        return history(self, metrics)

    def again(self) -> Runs:
        """The same question, asked anew."""
        asked = self.asked
        return find(
            kind=asked.kind,
            where=asked.where,
            status=asked.status,
            all=asked.all,
            removed=asked.removed,
            read=self._read,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a run, the index its id: kind, name, status, began, took_s, ``params.x``, ``metrics.x``."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [
            {
                "kind": run.kind,
                "name": run.name,
                "status": run.status,
                "began": run.began,
                "took_s": run.took_s,
                **{f"params.{key}": value for key, value in run.params.items()},
                **{f"metrics.{key}": value for key, value in run.metrics.items()},
            }
            for run in self.runs
        ]
        return pd.DataFrame(rows, index=pd.Index([run.id for run in self.runs], name="id"))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"runs": [...]}``, each as of `Run.to_dict`."""
        return {"runs": [run.to_dict() for run in self.runs]}

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of the table."""
        params, metrics = self.names()
        heads = ["Run", "What", "Status", "Began", "Took", *map(title, metrics), *map(title, params)]
        return heads, [
            [
                run.id,
                run.what,
                run.status,
                when(run.began),
                took(run.took_s),
                *(show(name, run.metrics.get(name)) for name in metrics),
                *(show(name, run.params.get(name)) for name in params),
            ]
            for run in self.runs
        ]

    def names(self) -> tuple[list[str], list[str]]:
        """The parameters and the metrics that have a column."""
        return param_columns([run.params for run in self.runs]), metric_columns([run.metrics for run in self.runs])

    def heading(self) -> str:
        """How many, of which kinds."""
        known = dict.fromkeys([*KINDS, *(run.kind for run in self.runs)])  # also those of a newer nbdeploy
        kinds = [(kind, sum(run.kind == kind for run in self.runs)) for kind in known]
        text = f"{len(self)} {'run' if len(self) == 1 else 'runs'}"
        parts = [f"{number} {kind}" for kind, number in kinds if number]
        return f"{text}: {', '.join(parts)}" if len(parts) > 1 else text

    def remarks(self) -> list[str]:
        """What the table does not hold."""
        said = [f'{self.hidden} trials are not listed: nd.runs(kind="trial")'] if self.hidden else []
        return [
            *said,
            *(f"{run.id}: {run.why.strip().splitlines()[0]}" for run in self.runs[:_SHOWN] if run.why.strip()),
        ]

    def __str__(self) -> str:
        if not self.runs:
            return self.empty()
        heads, rows = self.cells()
        signed = [[*row[:2], f"{look.SIGNS[sign(row[2])]} {row[2]}", *row[3:]] for row in rows[:_SHOWN]]
        right = tuple(range(4, 5 + len(self.names()[1])))
        lines = summary.in_columns([tuple(heads), *map(tuple, signed)], right=right)
        more = [f"and {len(self) - _SHOWN} older: nd.runs()[{_SHOWN}:]"] if len(self) > _SHOWN else []
        return "\n".join([*lines, *more, *self.remarks()]).replace(numbers.SPACE, " ")

    __repr__ = __str__

    def empty(self) -> str:
        """What to say where there is none."""
        asked = self.asked
        if asked.where or asked.kind or asked.status:
            return "No run is like that."
        return NONE_YET if asked.all else f"{NONE_YET} Those of other folders: nd.runs(all=True)"

    def _repr_html_(self) -> str:
        if not self.runs:
            return look.output(look.head("No runs"), look.quiet(self.empty()))
        params, metrics = self.names()
        heads, rows = self.cells()
        cells = []
        for run, row in zip(self.runs[:_SHOWN], rows, strict=False):
            about = " ".join([*(f"#{tag}" for tag in run.tags), run.noted]).strip()
            named = look.joined(run.id, look.quiet(about) if about else "")
            cells.append((named, row[1], look.sign(sign(run.status), run.status), *row[3:]))
        kinds = "Hllln" + "n" * len(metrics) + "l" * len(params)
        more = look.quiet(f"and {len(self) - _SHOWN} older: nd.runs()[{_SHOWN}:]") if len(self) > _SHOWN else ""
        return look.output(
            look.head(self.heading()),
            look.table(cells, kinds, heads=heads, css="nbd-full"),
            more,
            *map(look.quiet, self.remarks()),
        )

    def _check(self, name: str) -> None:
        known = {key for run in self.runs for key in run.values()}
        if not self.runs:
            raise UsageError("There is no run to choose from.", hint="nd.runs(all=True) lists those of other folders.")
        if name not in known:
            shown = {key for run in self.runs for key in (*run.params, *run.metrics)}
            raise UnknownName("parameter or metric", name, shown)


def find(
    *,
    kind: str | None = None,
    where: str | None = None,
    status: str | None = None,
    all: bool = False,  # noqa: A002 - the name is a promise
    removed: bool = False,
    read: Read | None = None,
) -> Runs:
    """The runs of this project's folder, or `all`; `read` tells the fingerprint of data as it is now."""
    for what, value, known in (("kind", kind, KINDS), ("status", status, _STATUSES)):
        if value is not None and value not in known:
            raise UnknownName(what, value, known)
    here = project()
    rows = [row for row in store.every() if (all or row["project"] == here) and (removed or not row["removed"])]
    runs = [Run.of(row, read) for row in rows]
    runs = [run for run in runs if status is None or run.status == status]
    listed = [run for run in runs if (run.kind == kind if kind else run.kind != "trial")]
    asked = Asked(kind, where, status, all, removed)
    found = Runs(tuple(listed), asked, 0 if kind else len(runs) - len(listed), read)
    return found.where(where) if where else found
