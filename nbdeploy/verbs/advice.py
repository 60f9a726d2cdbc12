"""nbdeploy advise, nbdeploy doctor, nbdeploy demo: where a model should run, what is here, and where to begin."""

from __future__ import annotations

from nbdeploy.parsing import Line
from nbdeploy.verbs.done import Done


def advise(line: Line) -> Done:
    """Say where a model should run, and draw what that costs where asked."""
    from nbdeploy.advising.advice import advise as run  # noqa: PLC0415 - called lazily
    from nbdeploy.advising.chart import save  # noqa: PLC0415
    from nbdeploy.core.figures import check_picture  # noqa: PLC0415

    args = line.args
    if args.plot:
        check_picture(args.plot)  # what cannot be is said before anything is measured
    advice = run(args.model, **line.given(leave={"model", "plot"}))
    drawn = [f"{save(advice, args.plot)}: cost against requests a day"] if args.plot else []
    return Done(advice.to_dict(), "\n".join([str(advice), *drawn]))


def doctor(line: Line) -> Done:
    """Say what is installed."""
    from nbdeploy.checkup import doctor as look  # noqa: PLC0415 - called lazily

    return Done.of(look(**line.given()))


def demo(line: Line) -> Done:
    """Run the quickstart notebook."""
    from nbdeploy.demo import run_demo  # noqa: PLC0415 - called lazily

    bundle = run_demo(line.args.out)
    return Done({"path": str(bundle.path), **bundle.report.to_dict()}, str(bundle))
