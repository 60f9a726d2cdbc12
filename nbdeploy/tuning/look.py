"""Trials as a person sees them: a table with a history above it, redrawn in place while they run; lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nbdeploy.core.live import Live, in_notebook
from nbdeploy.core.look import Html, bar, details, head, html, joined, output, quiet, sign, table, tag
from nbdeploy.core.numbers import SPACE, duration
from nbdeploy.core.progress import is_quiet
from nbdeploy.errors import say
from nbdeploy.tuning import words
from nbdeploy.tuning.history import history
from nbdeploy.tuning.trial import Trial

if TYPE_CHECKING:
    from nbdeploy.tuning.desk import Desk

_SHOWN = 12
"""Rows that stand open; earlier ones open with a click."""


class Show:
    """What is seen of a tuning while it runs: a page of its own in a notebook, else a line a trial."""

    def __init__(self, name: str, workers: int | None) -> None:
        self.name, self.workers = name, workers or 1
        self.live = None if is_quiet() or not in_notebook() else Live()
        self.plain = not is_quiet() and self.live is None
        self.began = time.monotonic()
        self.shares: dict[int, float] = {}
        self.stages: dict[int, str] = {}

    def attach(self, desk: Desk) -> None:
        """Show that desk's trials."""
        self.desk = desk
        done = desk.ended()
        if self.plain and done:
            say(f"going on with {self.name}: {done} of {desk.wanted} trials are done")

    def step(self, number: int, share: float) -> None:
        self.shares[number] = share
        self.draw(urgent=False)

    def stage(self, number: int, what: str) -> None:
        self.stages[number] = what
        self.draw()

    def ended(self, trial: Trial) -> None:
        """A trial came to its end."""
        self.shares.pop(trial.number, None)
        self.stages.pop(trial.number, None)
        self.draw()
        if self.plain:
            say(self._line(trial).replace(SPACE, " "))

    def draw(self, *, urgent: bool = True) -> None:
        """Draw the page anew."""
        if self.live is None:
            return
        desk = self.desk
        trials = desk.shown()
        best = desk.best()
        page = output(
            head(f"Tuning {self.name}"),
            self._how_far(),
            quiet(_best_line(best)) if best else "",
            *board(trials, list(desk.space.open), desk.objectives, best, bars=self._bars()),
        )
        self.live.show(page, f"Tuning {self.name}: {words.counted(trials)}", urgent=urgent)

    def close(self, text: str) -> None:
        """No trial runs any more: `text` says how it ended; the table goes, for the result shows it again."""
        if self.live is not None:
            self.live.show(output(quiet(text)), text)
        elif self.plain:
            say(text)

    def _how_far(self) -> Html:
        desk = self.desk
        done, workers = desk.ended(), min(self.workers, desk.wanted)
        share = (done + sum(self.shares.values())) / max(1, desk.wanted)
        left = desk.seconds_left(workers)
        parts = [f"{done} of {desk.wanted} trials"]
        parts += [f"about {duration(round(left))} left"] if left and left >= 1 else []
        parts += [f"{workers} at once"] if workers > 1 else []
        return tag("div", "nbd-beside nbd-mid", bar(share), quiet(", ".join(parts)))

    def _bars(self) -> dict[int, Html]:
        return {
            number: Html(quiet(f"{self.stages[number]} ...") if number in self.stages else bar(share))
            for number, share in {**dict.fromkeys(self.desk.running(), 0.0), **self.shares}.items()
        }

    def _line(self, trial: Trial) -> str:
        desk = self.desk
        found = words.all_values(trial.values) or trial.why
        best, left = desk.best(), desk.seconds_left(self.workers)
        known = f"; best: trial {best.number}" if best and best.number != trial.number else "; the best so far"
        rest = f"; about {duration(round(left))} left" if left and left >= 1 else ""
        told = known if best else ""
        mark, took = words.state(trial), duration(trial.seconds)
        which = f"trial {trial.number} ({desk.ended()} of {desk.wanted})"
        return f"{which} {mark}: {found}; {words.params(trial)}, {took}{told}{rest}"


def board(
    trials: Sequence[Trial],
    open_: Sequence[str],
    objectives: Sequence[str],
    best: Trial | None,
    *,
    bars: Mapping[int, Html] | None = None,
    front: Sequence[int] = (),
) -> list[Html]:
    """The history of the first objective, and the table of trials."""
    heads = ("Trial", "", *map(str.capitalize, objectives), *(words.title(name).capitalize() for name in open_), "Time")
    numbers = [name for name in open_ if any(isinstance(t.params.get(name), int | float) for t in trials)]
    kinds = "nl" + "n" * len(objectives) + "".join("n" if name in numbers else "l" for name in open_) + "n"
    states = [(bars or {}).get(trial.number) or _state(trial, best, front) for trial in trials]
    rows = [_row(trial, open_, objectives, state=state) for trial, state in zip(trials, states, strict=True)]
    earlier, shown = rows[:-_SHOWN], rows[-_SHOWN:]
    return [
        history(trials, objectives[0], best),
        details(f"{len(earlier)} earlier trials", _table(earlier, kinds, heads)) if earlier else Html(""),
        _table(shown, kinds, heads) if shown else Html(""),
        *(quiet(f"Trial {trial.number} failed: {trial.why}") for trial in trials if trial.state == "failed"),
    ]


def _table(rows: Sequence[Sequence[str]], kinds: str, heads: Sequence[str]) -> Html:
    return tag("div", "nbd-scroll", table(rows, kinds, heads=heads, css="nbd-full nbd-mid"))


def _row(trial: Trial, open_: Sequence[str], objectives: Sequence[str], *, state: Html) -> tuple[str, ...]:
    took = duration(trial.seconds) if trial.seconds else ""
    cells = [words.value(name, trial.params.get(name)) for name in open_]
    found: list[str] = list(words.values(trial, objectives))
    if "latency" in objectives and (beside := words.beside(trial)):
        at = list(objectives).index("latency")
        found[at] = joined(found[at], quiet(beside))
    return (str(trial.number), state, *found, *cells, took)


def _state(trial: Trial, best: Trial | None, front: Sequence[int]) -> Html:
    if best is not None and trial.number == best.number:
        return sign("passed", "best")
    if trial.state == "complete" and trial.figures.get("failed_checks"):
        return sign("warned", words.state(trial))
    if trial.state == "complete":
        return Html("on the front" if trial.number in front else html(words.state(trial)))
    kind = "failed" if trial.state == "failed" else "not_run"
    return sign(kind, words.state(trial))


def _best_line(best: Trial) -> str:
    return f"best so far: trial {best.number}, {words.all_values(best.values)} ({words.params(best)})"
