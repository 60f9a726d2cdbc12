"""Each training as a run: its parameters, its figures epoch by epoch, and the Learner that came of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from nbdeploy.tracking.asked import bound, call_of, name_of, parameters
from nbdeploy.tracking.lineage import remember
from nbdeploy.tracking.recording import current, recording
from nbdeploy.training.extras import check_log

P = ParamSpec("P")
R = TypeVar("R")


def recorded(train: Callable[P, R]) -> Callable[P, R]:
    """`train` with a run for each call; inside a trial it is the trial that remembers."""

    @functools.wraps(train)
    def run(*values: P.args, **keywords: P.kwargs) -> R:
        asked = bound(train, values, keywords)
        check_log(asked.get("log"))
        data = next(iter(asked))
        params = parameters(asked, leave={data})
        if current().kind == "trial":
            current().params(params)
            return train(*values, **keywords)
        images = asked[data]
        call = call_of("nd.train", train, asked)
        with recording("train", params=params, images=images, name=name_of(images), call=call) as run:
            learn = train(*values, **keywords)
            remember(learn, run.id)
        return learn

    return run


def outcome(learn: Any) -> None:
    """Note what is kept: the figures of that epoch, and whether training was stopped before its end."""
    history = learn.history
    current().metrics(history["epochs"][history["kept"] - 1])
    current().params({"epoch": history["kept"]})
    if history["stopped"]:
        current().ended("stopped", f"in epoch {history['stopped']}")


def series(log: Any = None) -> list[Any]:
    """The callbacks that note figures: for the run that is being recorded, and for the loggers that `log` names.

    Raises UnknownName, MissingExtra.
    """
    run, found = current(), []
    if run.id:
        from nbdeploy.training.callbacks import Series  # noqa: PLC0415 - fastai takes seconds

        found.append(Series(run))
    if log is not None:
        from nbdeploy.training.loggers import loggers  # noqa: PLC0415 - the same

        found += loggers(log)
    for one in found:
        if callable(close := getattr(one, "close", None)):
            run.at_end(close)
    return found
