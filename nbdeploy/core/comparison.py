"""compare(): bundles side by side with the model that they were made from, as a table and as a figure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy import registry
from nbdeploy.core import look
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.numbers import SPACE, compared, milliseconds, number, percent, points, quantity, size
from nbdeploy.core.report import Check, Status
from nbdeploy.core.summary import in_columns
from nbdeploy.errors import MissingExtra, UnknownName, UsageError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_OF_ALL = frozenset(
    "top1_agreement answers_are_numbers mean_drift max_drift accuracy_drop file_hashes labels samples "
    "fresh_process".split()
)
"""Checks that every target's bundle passes; the others are a target's own."""
_HEADS = ("Model", "Size", "Accuracy", "Same answer", "Largest drift", "Latency", "Verified here")
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Compared:
    """One bundle's figures beside those of its original. None: not measured, or not known."""

    name: str
    version: str
    target: str
    recipe: str
    path: str
    outcome: str
    """``passed``, ``failed`` (and accepted with a reason) or ``not_run``; see `word`."""
    word: str
    size_bytes: float | None
    size_bytes_original: float | None
    accuracy: float | None
    accuracy_original: float | None
    top1_agreement: float | None
    max_drift: float | None
    """Largest change of any probability, 0..1."""
    max_drift_limit: float | None
    latency_ms: float | None
    """Of the model alone, one thread, median."""
    latency_ms_original: float | None
    """Of the original, in turns with the bundle on the same machine."""
    run_by: str
    """What ran the bundle's file when it was verified and timed."""
    also_run: tuple[str, ...]
    not_run: tuple[str, ...]
    """Checks of this target's own that were run beside those that every bundle passes, and any that was not."""

    @property
    def title(self) -> str:
        """``tflite fp16``."""
        return f"{self.target} {self.recipe}"

    @property
    def checked(self) -> str:
        """What was run here and what was not, in a line."""
        parts = [f"By {self.run_by}."]
        parts += [f"Also: {', '.join(self.also_run)}."] if self.also_run else []
        parts += [f"Not run: {', '.join(self.not_run)}."] if self.not_run else []
        return " ".join(parts)


@dataclass(frozen=True)
class Comparison:
    """Bundles beside their originals, in the order in which they were named."""

    rows: tuple[Compared, ...]
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``{"bundles": [...]}``."""
        return {"bundles": [asdict(row) for row in self.rows]}

    def to_frame(self) -> pd.DataFrame:
        """One row a bundle, with every figure as a number."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        return pd.DataFrame([asdict(row) for row in self.rows])

    def plot(self) -> Figure:
        """Size, drift and latency of every bundle as bars, the originals' beside them."""
        from nbdeploy.core.chart import chart  # noqa: PLC0415 - loads matplotlib

        return chart(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Compared]:
        return iter(self.rows)

    def __str__(self) -> str:
        lines = in_columns([_HEADS, *self._lines()], right=(1, 2, 3, 4, 5))
        return "\n".join([*lines, *self.remarks]).replace(SPACE, " ")

    __repr__ = __str__

    def _lines(self) -> Iterator[tuple[str, ...]]:
        for original, rows in self._families():
            yield (*_original(original, rows), "")
            for row in rows:
                cells = (first + (f" ({beside})" if beside else "") for first, beside in _figures(row))
                yield (self._called(row), *cells, f"{row.word}. {row.checked}")

    def _called(self, row: Compared) -> str:
        return row.title if len({r.name for r in self.rows}) == 1 else f"{row.name} {row.title}"

    def _families(self) -> list[tuple[str, list[Compared]]]:
        """The originals with the bundles made from them."""
        found: dict[tuple[Any, ...], list[Compared]] = {}
        for row in self.rows:
            # Of the same model, every export is measured on the same files with the same result.
            found.setdefault((row.name, row.accuracy_original), []).append(row)
        several = len(found) > 1
        return [(f"{key[0]}, the original" if several else "the original", rows) for key, rows in found.items()]

    def _repr_html_(self) -> str:
        table: list[tuple[str, ...]] = []
        for original, rows in self._families():
            name, *cells = _original(original, rows)
            table.append((name, *cells, look.tag("span", "nbd-quiet", "PyTorch, float32")))
            for row in rows:
                run = look.joined(look.sign(row.outcome, row.word), look.quiet(row.checked))
                lines = (look.joined(first, look.quiet(beside) if beside else "") for first, beside in _figures(row))
                table.append((self._called(row), *lines, run))
        names = sorted({f"{row.name} {row.version}" for row in self.rows})
        count = f"{len(self)} bundle{'s' if len(self) > 1 else ''}"
        return look.output(
            look.head(f"{', '.join(names)}: {count} beside the original{'s' if len(self._families()) > 1 else ''}"),
            look.table(table, "Hnnnnnt", heads=_HEADS, css="nbd-full"),
            *map(look.quiet, self.remarks),
        )


def compare(*bundles: Any) -> Comparison:
    """Put bundles side by side with the model they were made from: size, accuracy, drift, latency, what was run here.

    Takes Bundles, folders of bundles, and lists or dicts of either; one named twice is shown once. The figures are
    those of the bundles' own reports; nothing is run. Raises UsageError, BundleError, IntegrityError.
    """
    found = {bundle.path: bundle for item in bundles for bundle in _bundles(item)}
    if not found:
        raise UsageError("There is nothing to compare.", hint='Type: nd.compare(bundle, "build/other")')
    metrics = [bundle.report.metrics for bundle in found.values()]
    return Comparison(tuple(map(_row, found.values())), tuple(_remarks(metrics)))


def _bundles(item: Any) -> Iterator[Bundle]:
    if isinstance(item, Bundle):
        yield item
    elif isinstance(item, str | Path):
        yield Bundle.load(item)
    elif isinstance(item, Mapping | list | tuple):
        for inner in item.values() if isinstance(item, Mapping) else item:
            yield from _bundles(inner)
    else:
        raise UsageError(
            f"A {type(item).__name__} cannot be compared.", hint="Give Bundles, or the folders that nd.deploy wrote."
        )


def _row(bundle: Bundle) -> Compared:
    report, get = bundle.report, {key: number(value) for key, value in bundle.report.metrics.items()}
    outcome, word = bundle.verdict()
    own = [check for check in report.checks if check.name not in _OF_ALL]
    return Compared(
        name=bundle.name,
        version=bundle.version,
        target=bundle.target,
        recipe=bundle.recipe,
        path=str(bundle.path),
        outcome=outcome,
        word=word,
        size_bytes=float(bundle.size_bytes),
        size_bytes_original=get.get("size_bytes_original"),
        accuracy=get.get("accuracy_deployed"),
        accuracy_original=get.get("accuracy_original"),
        top1_agreement=get.get("top1_agreement"),
        max_drift=get.get("max_abs_diff"),
        max_drift_limit=number(_check(report.checks, "max_drift").limit),
        latency_ms=get.get("latency_ms_p50"),
        latency_ms_original=get.get("latency_ms_p50_original"),
        run_by=_run_by(bundle),
        also_run=tuple(check.title for check in own if check.status is not Status.not_run),
        not_run=tuple(check.title for check in report.checks if check.status is Status.not_run),
    )


def _check(checks: tuple[Check, ...], name: str) -> Check:
    return next((check for check in checks if check.name == name), Check(name, Status.not_run))


def _run_by(bundle: Bundle) -> str:
    try:
        target = registry.targets.load(bundle.target)
    except (UnknownName, MissingExtra):  # a bundle of a package that is not installed here
        return f"the runtime of {bundle.target}"
    if target.reference_only:
        return "a reference interpreter"
    tools: Mapping[str, str] = bundle.manifest.get("tools", {})
    return " and ".join(f"{name} {tools.get(name, '')}".strip() for name in target.runtime_requirements)


def _figures(row: Compared) -> list[tuple[str, str]]:
    """Each figure, and how it compares with the original."""
    limit = row.max_drift_limit
    gained = None if None in {row.accuracy, row.accuracy_original} else row.accuracy - row.accuracy_original  # type: ignore[operator]
    return [
        (_shown(row.size_bytes, size), _times(row.size_bytes, row.size_bytes_original, ("smaller", "larger"))),
        (_shown(row.accuracy, percent), "" if gained is None else points(gained) if gained else "the same"),
        (_shown(row.top1_agreement, percent), ""),
        (_shown(row.max_drift, quantity), "" if limit is None else f"limit {quantity(limit)}"),
        (
            _shown(row.latency_ms, milliseconds),
            _times(row.latency_ms, row.latency_ms_original, ("faster", "slower")),
        ),
    ]


def _original(title: str, rows: list[Compared]) -> tuple[str, ...]:
    """The original's figures; its latency was taken beside every bundle, so this is the median of those."""
    sizes = [row.size_bytes_original for row in rows if row.size_bytes_original is not None]
    times = [row.latency_ms_original for row in rows if row.latency_ms_original is not None]
    return (
        title,
        _shown(statistics.median(sizes) if sizes else None, size),
        _shown(rows[0].accuracy_original, percent),
        _NONE,
        _NONE,
        _shown(statistics.median(times) if times else None, milliseconds),
    )


def _shown(value: float | None, text: Any) -> str:
    return _NONE if value is None else str(text(value))


def _times(deployed: float | None, original: float | None, words: tuple[str, str]) -> str:
    if deployed is None or original is None:
        return ""
    return compared(deployed, original, less=words[0], more=words[1])


def _remarks(metrics: list[Mapping[str, Any]]) -> Iterator[str]:
    files = sorted({int(count) for one in metrics if (count := number(one.get("files"))) is not None})
    if files:
        each = f"{files[0]:,}" if len(files) == 1 else f"{files[0]:,} to {files[-1]:,}"
        yield f"Accuracy, answers and drift: on {each} held-out files. Drift is the change of a probability, 0 to 1."
    runs = sorted({int(count) for one in metrics if (count := number(one.get("latency_runs"))) is not None})
    if runs:
        each = f"{runs[0]:,}" if len(runs) == 1 else f"{runs[0]:,} to {runs[-1]:,}"
        where = sorted({str(one["measured_on"]).partition(", load")[0] for one in metrics if one.get("measured_on")})
        machine = f" ({'; '.join(where)})" if where else ""
        yield (
            f"Latency: the model alone, 1 thread, median of {each} runs in turns with the original on the same "
            f"machine{machine}; a phone has others."
        )
