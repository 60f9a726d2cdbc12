"""Each tuning as a run, of which its trials are parts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nbdeploy.tracking.asked import bound, call_of, name_of, parameters
from nbdeploy.tracking.recording import recording
from nbdeploy.tuning.desk import EXHAUSTED
from nbdeploy.tuning.result import Tuning

P = ParamSpec("P")
T = TypeVar("T", bound=Tuning)


def recorded(tune: Callable[P, T]) -> Callable[P, T]:
    """`tune` with a run for each call; the figures are those of the winner on the tuning split."""

    @functools.wraps(tune)
    def run(*values: P.args, **keywords: P.kwargs) -> T:
        asked = bound(tune, values, keywords)
        data = next(iter(asked))
        params, call = parameters(asked, leave={data}), call_of("nd.tune", tune, asked)
        with recording("tune", params=params, images=asked[data], name=name_of(asked[data]), call=call) as run:
            tuning = tune(*values, **keywords)
            run.metrics(tuning.best.values)
            run.params({f"best {name}": value for name, value in tuning.best.params.items()})
            run.result(path=tuning.path)
            if tuning.stopped not in {"", EXHAUSTED}:
                run.ended("stopped", tuning.stopped)
            return tuning

    return run
