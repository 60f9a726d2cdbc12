"""The LearnReport for people: in a notebook, and as a page of its own."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.look import Html, chance, details, head, html, joined, output, quiet, table, tag
from nbdeploy.core.numbers import percent, points, quantity
from nbdeploy.errors import OutputError

if TYPE_CHECKING:
    from nbdeploy.training.report import ClassRow, LearnReport, Miss

_MATRIX_MOST = 20
"""Classes of a confusion matrix that is drawn; of more, only the pairs are told."""
_PAIRS = 10
_HOTTEST = 40
"""Per cent of colour in the fullest cell: text on it can still be read."""


def page(report: LearnReport) -> str:
    """The report as one output of a cell."""
    low, high = report.accuracy_interval
    lead = f"{report.right:,} of {report.files:,} held-out {report.noun}s right: {percent(report.accuracy)}"
    return output(
        head(lead),
        quiet(
            f"95 % interval {100 * low:.1f} to {percent(high)}. "
            f"The {report.noun}s that were held out, by the model as it is."
        ),
        tag("div", "", tta_words(report)) if report.tta else "",
        _section("Classes", _classes(report)),
        _section("Confusion", _confusion(report)),
        _section("Columns", report.importance.html()) if report.importance else "",
        _section("Highest losses", _misses(report)) if report.top_losses else "",
    )


def save(report: LearnReport, path: Path) -> Path:
    """Write `page` as a file of its own. Raises OutputError."""
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Learn report: {escape(percent(report.accuracy))} right</title>"
        "<style>html{color-scheme:light dark}body{background:light-dark(#fff,#15181c);margin:24px auto;max-width:900px}"
        f"</style></head><body>{page(report)}</body></html>\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}).", hint="Choose another file.") from error
    return path


def tta_words(report: LearnReport) -> str:
    """What test-time augmentation changed, and that a bundle does not do it."""
    if report.tta is None:
        return ""
    low, high = report.tta["accuracy_interval"]
    change = points(report.tta["accuracy"] - report.accuracy)
    return (
        f"With test-time augmentation ({report.tta['n']} copies): {percent(report.tta['accuracy'])} "
        f"(95 % interval {100 * low:.1f} to {percent(high)}), {change}. A deployed bundle does not do this."
    )


def _section(title: str, *parts: Html) -> Html:
    return tag("section", "", tag("div", "nbd-caption", title), *parts)


def _classes(report: LearnReport) -> Html:
    heads = ("Class", f"{report.noun}s".capitalize(), "Precision", "95 % interval", "Recall", "95 % interval", "F1")
    shown = sorted(report.classes, key=lambda row: 2.0 if row.f1 is None else row.f1)
    first = table([_class_row(row) for row in shown[:_MATRIX_MOST]], "hnnnnnn", heads=heads)
    rest = [_class_row(row) for row in shown[_MATRIX_MOST:]]
    more = details(f"{len(rest)} more classes", table(rest, "hnnnnnn", heads=heads)) if rest else ""
    found = f"how many of its {report.noun}s are found"
    return joined(first, more, quiet(f"Precision: how many of its answers are right. Recall: {found}. Worst F1 first."))


def _class_row(row: ClassRow) -> tuple[str, ...]:
    def interval(ends: tuple[float, float], of: int) -> str:
        return f"{100 * ends[0]:.0f} to {100 * ends[1]:.0f}" if of else ""

    def share(value: float | None) -> str:
        return "–" if value is None else percent(value)

    return (
        row.label,
        f"{row.support:,}",
        share(row.precision),
        interval(row.precision_interval, row.answers),
        share(row.recall),
        interval(row.recall_interval, row.support),
        "–" if row.f1 is None else f"{row.f1:.3f}",
    )


def _confusion(report: LearnReport) -> Html:
    matrix, labels = report.confusion, report.labels
    pairs = sorted(
        ((n, t, a) for t, row in enumerate(matrix) for a, n in enumerate(row) if n and t != a),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    if not pairs:
        told = quiet("No two classes were confused.")
    else:
        rows = [(labels[t], labels[a], f"{n:,} of {sum(matrix[t]):,}") for n, t, a in pairs[:_PAIRS]]
        told = table(rows, "ltn", heads=("Is", "was called", "times"))
    return joined(_matrix(report) if len(labels) <= _MATRIX_MOST else "", told)


def _matrix(report: LearnReport) -> Html:
    rows = []
    for true, row in enumerate(report.confusion):
        total = max(1, sum(row))
        cells = "".join(
            f'<td class="nbd-n {"nbd-is-right" if true == said else "nbd-is-wrong"}" '
            # A lone mistake among many must still be seen, hence the floor.
            f'style="--nbd-heat:{max(8, round(_HOTTEST * n / total)) if n else 0}%">{n or ""}</td>'
            for said, n in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{html(report.labels[true])}</th>{cells}</tr>')
    names = "".join(f'<th scope="col" class="nbd-n">{html(label)}</th>' for label in report.labels)
    top = f"<thead><tr><th>is \\ was called</th>{names}</tr></thead>"
    return Html(f'<div class="nbd-scroll"><table class="nbd-matrix">{top}<tbody>{"".join(rows)}</tbody></table></div>')


def _misses(report: LearnReport) -> Html:
    return joined(
        tag("div", f"nbd-misses nbd-of-{report.noun}s", *map(_miss, report.top_losses)), quiet(report.explained)
    )


def _miss(miss: Miss) -> Html:
    verdict = "right, with" if miss.answer == miss.label else f"called {miss.answer}"
    return tag(
        "figure",
        "nbd-miss",
        miss.given.html(),
        tag("div", "", tag("strong", "", miss.label), f" {verdict} {chance(miss.probability)}"),
        *((quiet(f"{told}."),) if (told := miss.given.told()) else ()),
        quiet(f"loss {quantity(miss.loss)}, {Path(miss.file).name}"),
    )
