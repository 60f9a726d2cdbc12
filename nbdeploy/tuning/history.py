"""The history of a tuning as a small drawing in the page itself, which follows the host's theme."""

from __future__ import annotations

from collections.abc import Sequence

from nbdeploy.core.look import Html
from nbdeploy.tuning.trial import OBJECTIVES, Trial
from nbdeploy.tuning.words import UNITS

_WIDE, _HIGH, _LEFT, _EDGE = 640, 112, 64, 10
_MOST_APART = 40


def history(trials: Sequence[Trial], objective: str, best: Trial | None) -> Html:
    """A dot a trial, hollow where it was pruned, and the best until then as a line; nothing before the second dot."""
    dots = [(at, trial, amount) for at, trial in enumerate(trials) if (amount := _amount(trial, objective)) is not None]
    if len(dots) < 2:  # noqa: PLR2004 - a line needs two
        return Html("")
    low, high = min(amount for _, _, amount in dots), max(amount for _, _, amount in dots)
    span = (high - low) or 1.0
    apart = min(_MOST_APART, (_WIDE - _LEFT - 2 * _EDGE) / max(1, len(trials) - 1))

    def place(at: int, amount: float) -> tuple[float, float]:
        return _LEFT + _EDGE + at * apart, _HIGH - _EDGE - (amount - low) / span * (_HIGH - 2 * _EDGE)

    unit = UNITS[objective]
    drawn = [_line(place, dots, objective), _grid(low, unit(low), place), _grid(high, unit(high), place)]
    drawn += [_dot(*place(at, amount), trial, best, unit(amount)) for at, trial, amount in dots]
    said = f"{objective} of {len(dots)} trials, from {unit(low)} to {unit(high)}"
    return Html(
        f'<svg role="img" aria-label="{said}" viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" height="{_HIGH}" '
        f'style="max-width:100%;height:auto;font:12px var(--nbd-font)">{"".join(drawn)}</svg>'
    )


def _amount(trial: Trial, objective: str) -> float | None:
    if trial.state == "complete":
        return trial.values.get(objective)
    # What was pruned stands at the accuracy it had by then.
    if trial.state == "pruned" and trial.curve and objective == "accuracy":
        return trial.curve[max(trial.curve)]
    return None


def _line(place, dots: Sequence[tuple[int, Trial, float]], objective: str) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001 - a function of this module
    points, top = [], None
    for at, trial, amount in dots:
        if not trial.good:
            continue
        better = top is None or OBJECTIVES[objective] * amount > OBJECTIVES[objective] * top
        if top is not None:
            points.append(place(at, top))
        top = amount if better else top
        points.append(place(at, top))
    if points:
        points.append(place(dots[-1][0], top))
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{drawn}" fill="none" style="stroke:var(--nbd-accent);stroke-width:1.5;opacity:.55"/>'


def _grid(amount: float, text: str, place) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001 - a function of this module
    _, y = place(0, amount)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDE}" y1="{y:.1f}" y2="{y:.1f}" style="stroke:var(--nbd-rule)"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" style="fill:var(--nbd-muted)">{text}</text>'
    )


def _dot(x: float, y: float, trial: Trial, best: Trial | None, text: str) -> str:
    hollow = not trial.good
    chosen = best is not None and trial.number == best.number
    colour = "var(--nbd-accent)" if not hollow else "var(--nbd-plain)"
    fill = "var(--nbd-bg)" if hollow else colour
    ring = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7.5" fill="none" style="stroke:{colour};stroke-width:1.5"/>'
        if chosen
        else ""
    )
    how = f"trial {trial.number}: {text}{', pruned' if trial.state == 'pruned' else ''}{', the best' if chosen else ''}"
    return (
        f'{ring}<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill:{fill};stroke:{colour};stroke-width:1.5">'
        f"<title>{how}</title></circle>"
    )
