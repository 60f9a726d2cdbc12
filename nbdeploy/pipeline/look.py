"""A pipeline's result in a notebook: the graph of its steps, a table of them, and the gates."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from pathlib import Path

from nbdeploy.core import look, numbers
from nbdeploy.core.look import SIGNS, Html
from nbdeploy.core.numbers import SPACE
from nbdeploy.pipeline.result import GateResult, How, PipelineResult, StepResult, time_of

_SIGN = {
    How.done: "passed",
    How.up_to_date: "passed",
    How.would_run: "warned",
    How.failed: "failed",
    How.not_run: "not_run",
}
_COLOUR = {"passed": "--nbd-passed", "failed": "--nbd-failed", "not_run": "--nbd-not-run", "warned": "--nbd-warned"}
_HIGH, _APART, _GAP, _LETTER, _PAD = 24, 32, 32, 7.0, 12
"""Of the graph, in pixels: a node, from one to the next, between columns, a letter, beside the words."""


def as_html(result: PipelineResult) -> str:
    """A fragment with its own style."""
    good = "passed" if result.ok else "failed" if result.failures else "warned"
    word = {"passed": "everything stands", "failed": "failed", "warned": "not up to date"}[good]
    closed = {gate.step for gate in result.gates if not gate.ok}
    heads = ("Step", "State", "Time", "What came of it")
    rows = [(row.name, _state(row), time_of(row), _came(row, result)) for row in result.rows]
    return look.output(
        look.head(f"Pipeline {result.name} "),
        look.tag("div", "nbd-line", look.sign(good, word), " ", look.tag("span", "nbd-quiet", _counted(result))),
        look.tag("div", "nbd-told", *[look.tag("div", "", failure) for failure in result.failures])
        if result.failures
        else "",
        graph(result, closed),
        look.table(rows, "Hlnt", heads=heads, css="nbd-full"),
        _gates(result.gates),
        look.quiet("Times in brackets are those of an earlier run.") if _any_earlier(result) else "",
    )


def graph(result: PipelineResult, closed: set[str]) -> Html:
    """The steps as a drawing: what takes from what, and how each stands. The table below says the same in words."""
    column: dict[str, int] = {}
    for row in result.rows:
        column[row.name] = 1 + max((column[name] for name in row.after), default=-1)
    columns: defaultdict[int, list[StepResult]] = defaultdict(list)
    for row in result.rows:
        columns[column[row.name]].append(row)
    tall = max(map(len, columns.values())) * _APART
    at: dict[str, tuple[float, float, float]] = {}
    x = 1.0
    for number in sorted(columns):
        wide = max(len(_short(row)) for row in columns[number]) * _LETTER + 2 * _PAD + 16
        top = (tall - len(columns[number]) * _APART) / 2
        for index, row in enumerate(columns[number]):
            # What is made of one bundle stands on the height of that bundle.
            y = at[row.after[0]][1] if number > 3 and row.after else top + (index + 0.5) * _APART  # noqa: PLR2004
            at[row.name] = (x, y, wide)
        x += wide + _GAP
    width = x - _GAP + 1
    edges = [_edge(at[name], at[row.name]) for row in result.rows for name in row.after]
    nodes = [_node(row, at[row.name], failed=row.name in closed) for row in result.rows]
    said = escape("; ".join(f"{row.name} {row.how}" for row in result.rows), quote=True)
    return Html(
        f'<svg class="nbd-graph" role="img" aria-label="{said}" viewBox="0 0 {width:.0f} {tall}" width="{width:.0f}" '
        f'height="{tall}" style="max-width:100%;height:auto;display:block">{"".join(edges + nodes)}</svg>'
    )


def _node(row: StepResult, at: tuple[float, float, float], *, failed: bool) -> str:
    x, y, wide = at
    kind = "failed" if failed else _SIGN[row.how]
    colour = f"var({_COLOUR[kind]})"
    dashes = ";stroke-dasharray:4 3" if row.how in {How.not_run, How.would_run} else ""
    fill = f"color-mix(in srgb, {colour} 12%, transparent)" if row.how in {How.done, How.failed} or failed else "none"
    text = "fill:var(--nbd-text);font:12px var(--nbd-font)"
    return (
        f"<g><title>{escape(f'{row.name}: {row.how}')}</title>"
        f'<rect x="{x:.1f}" y="{y - _HIGH / 2:.1f}" width="{wide:.1f}" height="{_HIGH}" rx="4" '
        f'style="fill:{fill};stroke:{colour}{dashes}"/>'
        f'<text x="{x + _PAD:.1f}" y="{y + 4:.1f}" style="{text}">'
        f'<tspan style="fill:{colour};font-weight:600">{SIGNS[kind]}</tspan>{SPACE}{SPACE}{escape(_short(row))}'
        "</text></g>"
    )


def _edge(one: tuple[float, float, float], other: tuple[float, float, float]) -> str:
    (x, y, wide), (end, y_end, _) = one, other
    begin, half = x + wide, _GAP / 2
    curve = f"M{begin:.1f} {y:.1f}C{begin + half:.1f} {y:.1f} {end - half:.1f} {y_end:.1f} {end:.1f} {y_end:.1f}"
    return f'<path d="{curve}" style="fill:none;stroke:var(--nbd-muted);stroke-width:1.25;opacity:.7"/>'


def _short(row: StepResult) -> str:
    kind, _, name = row.name.partition(":")
    return name if kind == "deploy" else f"{kind} {name}".strip()


def _near(folder: Path) -> str:
    """The path from where the notebook stands, where it lies below."""
    try:
        return folder.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(folder)


def _state(row: StepResult) -> Html:
    return look.sign(_SIGN[row.how], str(row.how))


def _came(row: StepResult, result: PipelineResult) -> Html:
    if row.how is How.failed:
        return look.joined("see above")
    told = row.told or row.why
    why = look.quiet(row.why) if row.told and row.why and row.why != "not done yet" else ""
    folder = result.folders.get(row.name)
    place = look.tag("div", "", look.tag("code", "nbd-mono", _near(folder))) if folder and row.told else ""
    return look.joined(told, why, place)


def _gates(gates: tuple[GateResult, ...]) -> str:
    ordered = sorted(gates, key=lambda gate: gate.ok)
    rows = [
        (look.sign("passed" if gate.ok else "failed", "holds" if gate.ok else "failed"), gate.step, gate.words)
        for gate in ordered
    ]
    return look.table(rows, "lHt", heads=("Gate", "Of", ""), css="nbd-full") if rows else ""


def _counted(result: PipelineResult) -> str:
    return f"{result.headline.partition(': ')[2]}; {numbers.duration(result.took)}"


def _any_earlier(result: PipelineResult) -> bool:
    return any(row.how is How.up_to_date for row in result.rows)
