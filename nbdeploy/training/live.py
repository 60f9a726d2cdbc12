"""A training as it goes, in a notebook: curves, a row an epoch, and how far it is. The last picture stays."""

from __future__ import annotations

import math
import time

from fastai.callback.core import Callback

from nbdeploy.core.curves import Line, chart, epochs, linear, percents
from nbdeploy.core.live import Live
from nbdeploy.core.look import Html, bar, details, output, quiet, table, tag
from nbdeploy.core.numbers import duration, percent, quantity
from nbdeploy.training.course import Course

_GUESS_FROM = 0.5
"""Epochs after which the time left is guessed."""
_REDRAW_S = 0.5
_ROWS = 10
"""Epochs in the table; earlier ones are behind a click."""


class LiveTraining(Callback):  # type: ignore[misc]
    """Curves and a table that are redrawn in place while the cell runs."""

    order = 66  # after the course has the figures

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course
        self.steps: list[tuple[float, float]] = []
        """Smoothed training loss by epoch, one a batch."""
        self.live, self.began = Live(), time.monotonic()
        self.drawn = 0.0
        self.end = ""

    def before_fit(self) -> None:
        self._draw(0.0)

    def after_batch(self) -> None:
        course = self.course
        share = (self.iter + 1) / self.n_iter
        if self.training:
            self.steps.append((course.done + share, float(self.recorder.losses[-1])))
        if course.stop or time.monotonic() - self.drawn > _REDRAW_S:
            self._draw(share if self.training else 1.0)

    def after_epoch(self) -> None:
        self._draw(0.0)

    def close(self, end: str) -> None:
        """Training is over: `end` says how."""
        self.end = end
        self._draw(0.0)

    def _draw(self, share: float) -> None:
        course = self.course
        self.drawn = time.monotonic()
        if self.end:
            below, text = quiet(self.end), self.end
        else:
            text = self._how_far(share)
            below = tag("div", "nbd-beside nbd-mid", bar((course.done + share) / course.planned), quiet(text))
        pictures = tag("div", "nbd-figures", *self._charts())
        rows = [self._row(index) for index in range(course.done)]
        self.live.show(output(pictures, *self._table(rows), below), self._plain(rows, text))

    def _how_far(self, share: float) -> str:
        course = self.course
        now = min(course.done + 1, course.planned)
        if course.stop:
            return f"epoch {now} of {course.planned}: stopping after this batch ..."
        done = course.done - course.replayed + share
        spent = time.monotonic() - self.began
        # The first batches are the slowest, so a guess from them would frighten.
        left = course.planned - course.done - share
        guess = f", about {duration(round(spent / done * left))} left" if done >= _GUESS_FROM else ""
        return f"epoch {now} of {course.planned}{guess}"

    def _charts(self) -> list[Html]:
        course = self.course
        x = epochs(course.planned)
        marks = [(float(course.frozen), "all layers")] if 0 < course.frozen < course.planned else []
        best = course.best
        losses, held = [(n + 1.0, row[0]) for n, row in enumerate(course.rows)], self._column(1)
        train = self.steps if len(self.steps) > len(losses) else losses
        top = max((value for _, value in (*train, *held) if math.isfinite(value)), default=1.0)
        loss = chart(
            "Loss",
            [Line("training", train, "plain"), Line("held out", held, dots=True)],
            x,
            linear(0.0, top or 1.0),
            says=f"Held-out loss by epoch: {', '.join(quantity(value) for _, value in held) or 'none yet'}",
            under="epochs",
            marks=marks,
            ring=held[best] if len(held) > 1 else None,
        )
        return [loss, *(self._metric(column, x, marks) for column in range(2, 2 + len(course.names)))]

    def _metric(self, column: int, x: object, marks: list[tuple[float, str]]) -> Html:
        name = self.course.names[column - 2]
        points = self._column(column)
        values = [value for _, value in points if math.isfinite(value)]
        shares = all(0 <= value <= 1 for value in values)
        y = percents(min(values, default=0.5)) if shares else linear(min(0.0, *values), max(values))
        text = percent if shares else quantity
        return chart(
            f"Held-out {name.replace('_', ' ')}",
            [Line("", points, dots=True)],
            x,  # type: ignore[arg-type] # an Axis
            y,
            says=f"{name} by epoch: {', '.join(text(value) for value in values) or 'none yet'}",
            under="epochs",
            marks=marks,
            ring=points[self.course.best] if len(points) > 1 else None,
        )

    def _column(self, column: int) -> list[tuple[float, float]]:
        return [(n + 1.0, row[column]) for n, row in enumerate(self.course.rows)]

    def _row(self, index: int) -> tuple[str, ...]:
        course = self.course
        train_loss, valid_loss, *others = course.rows[index]
        notes = ["head only"] if index < course.frozen else []
        notes += ["before the kill"] if index < course.replayed else []
        notes += ["best"] if index == course.best and course.done > 1 else []
        measured = [percent(value) if 0 <= value <= 1 else quantity(value) for value in others]
        took = duration(course.took[index]) if index < len(course.took) else ""
        return (f"{index + 1}", f"{train_loss:.3f}", f"{valid_loss:.3f}", *measured, took, ", ".join(notes))

    def _table(self, rows: list[tuple[str, ...]]) -> list[Html]:
        if not rows:
            return []
        heads, kinds = self._heads(), "n" * (len(self.course.names) + 4) + "l"
        early = rows[:-_ROWS]
        shown = [details(f"{len(early)} earlier epochs", table(early, kinds, heads=heads))] if early else []
        return [*shown, table(rows[-_ROWS:], kinds, heads=heads)]

    def _heads(self) -> tuple[str, ...]:
        measured = (f"Held-out {name.replace('_', ' ')}" for name in self.course.names)
        return ("Epoch", "Train loss", "Held-out loss", *measured, "Time", "")

    def _plain(self, rows: list[tuple[str, ...]], text: str) -> str:
        lines = ["  ".join(row).rstrip() for row in [self._heads(), *rows]] if rows else []
        return "\n".join([*lines, text])
