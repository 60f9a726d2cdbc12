"""How an ImageSet looks in a notebook: classes, split, examples, and what was set aside."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from nbdeploy.core.finding import KINDS, Place, called
from nbdeploy.core.look import Html, details, head, joined, output, quiet, table, tag, thumbnail
from nbdeploy.data.records import ImageFile, count, short, shown

if TYPE_CHECKING:
    from nbdeploy.data.findings import Findings
    from nbdeploy.data.imageset import ImageSet
    from nbdeploy.data.labelled import Labelled

_CLASSES_WITH_EXAMPLES = 10
_EXAMPLES = 3
_ROWS = 200
_FINDINGS = 5
_ONE_LINE = 26


def as_html(images: ImageSet) -> str:
    """A fragment of HTML that carries its own style and its examples as data URIs."""
    return output(Html("".join((*_classes(images, "picture", _examples(images)), _oddities(images)))))


def labelled_as_html(examples: Labelled, remarks: Iterable[str]) -> str:
    """A fragment of HTML: classes and split of rows or texts, and `remarks` as small print."""
    return output(Html("".join(_classes(examples, examples.noun, {}))), *map(quiet, remarks))


def _classes(data: ImageSet | Labelled, noun: str, examples: dict[str, list[str]]) -> tuple[str, ...]:
    total, held = len(data), len(data.valid)
    split = "split given by the data" if data.seed is None else f"seed {data.seed}"
    counts = list(data.counts.items())
    most = max((train + valid for _, (train, valid) in counts), default=1)
    with_examples = counts[:_CLASSES_WITH_EXAMPLES]
    more = counts[_CLASSES_WITH_EXAMPLES:]
    return (
        f'<div class="nbd-head">{count(total, noun)} in {count(len(counts), "class")}</div>',
        '<div class="nbd-quiet"><span class="nbd-key nbd-train"></span>',
        f'{total - held:,} to train on &ensp;<span class="nbd-key nbd-held"></span>{held:,} held out ',
        f"({100 * held / max(1, total):.1f} %, {split})</div>",
        f'<div class="nbd-quiet">{escape(shown(data.source))}</div>',
        _table(with_examples, most, examples),
        _more(more, most),
    )


def findings_as_html(findings: Findings) -> str:
    """A fragment of HTML: the kinds with their counts, each opening on its first findings.

    Of pictures their thumbnails are shown, of a table the cells, of texts what they say.
    """
    show = _kind if findings.unit == "file" else _kind_in_table
    kinds = [show(kind, number, findings) for kind, number in findings.counts.items()]
    remarks = [quiet(remark) for remark in findings.remarks]
    return output(head(findings.headline), *remarks, *(kinds or [quiet("Nothing suspect was found.")]))


def _kind(kind: str, number: int, findings: Findings) -> Html:
    rows = [
        (
            Html("".join(thumbnail(path) for path in (row.path, *row.related[:1]))),
            shown(f"{row.path.parent.name}/{row.path.name}"),
            row.evidence,
            row.suggest,
            f"{row.score:.2f}",
        )
        for row in findings.of(kind).top(_FINDINGS)
    ]
    heads = ("Picture", "File", "Evidence", "Suggested", "Score")
    pictures = table(rows, "phttn", heads=heads, css="nbd-mid")
    return details(f"{number:,} {KINDS[kind]}", pictures, *_beyond(kind, number))


def _kind_in_table(kind: str, number: int, findings: Findings) -> Html:
    rows = [
        (
            str(row.place or "") or shown(row.path.name),
            _cells(row.place) if row.place else "",
            row.evidence,
            short(row.suggest) if row.suggest.isprintable() else ascii(row.suggest),
            f"{row.score:.2f}",
        )
        for row in findings.of(kind).top(_FINDINGS)
    ]
    heads = ("Where", "What stands there", "Evidence", "Suggested", "Score")
    # What is short stays on one line; what is long may break anywhere.
    kinds = "".join(
        line if max(len(row[at]) for row in rows) <= _ONE_LINE else free
        for at, line, free in ((0, "H", "h"), (3, "l", "t"))
    )
    cells = table(rows, f"{kinds[0]}tt{kinds[1]}n", heads=heads, css="nbd-full")
    return details(f"{number:,} {called(kind, findings.unit)}", cells, *_beyond(kind, number))


def _cells(place: Place) -> Html:
    """The cells: one or two below one another, more in one line. One whose column stands beside it is not named."""
    made = []
    for name, value in place.cells:
        named = len(place.cells) > 1 or name != place.column
        made.append(joined(tag("span", "nbd-quiet", f"{name} ") if named else "", tag("span", "nbd-mono", value)))
    if len(made) > 2:  # noqa: PLR2004 - two are compared
        return joined(*(joined(", " if at else "", cell) for at, cell in enumerate(made)))
    return joined(*(tag("div", "nbd-cell", cell) for cell in made))


def _beyond(kind: str, number: int) -> list[Html]:
    beyond = number - _FINDINGS
    return [quiet(f'and {beyond:,} more: see .of("{kind}")')] if beyond > 0 else []


def _table(rows: Iterable[tuple[str, tuple[int, int]]], most: int, examples: dict[str, list[str]]) -> str:
    last = '<th scope="col">Examples</th>' if examples else ""
    head = (
        '<thead><tr><th scope="col">Class</th><th scope="col" class="nbd-n">Train</th>'
        '<th scope="col" class="nbd-n">Held out</th><th scope="col" class="nbd-wide">Beside the largest class</th>'
        f"{last}</tr></thead>"
    )
    body = "".join(_row(label, train, valid, most, examples.get(label)) for label, (train, valid) in rows)
    return f'<table class="nbd-full nbd-mid">{head}<tbody>{body}</tbody></table>'


def _row(label: str, train: int, valid: int, most: int, examples: list[str] | None) -> str:
    title = f' title="{escape(label)}"' if short(label) != label else ""
    thumbs = f'<td class="nbd-thumbs">{"".join(examples)}</td>' if examples else ""
    return (
        f'<tr><th scope="row"{title}>{escape(short(label))}</th><td class="nbd-n">{train:,}</td>'
        f'<td class="nbd-n">{valid:,}</td><td class="nbd-wide"><div class="nbd-bar" aria-hidden="true">'
        f'<span class="nbd-train" style="width:{100 * train / most:.1f}%"></span>'
        f'<span class="nbd-held" style="width:{100 * valid / most:.1f}%"></span></div></td>{thumbs}</tr>'
    )


def _more(rows: list[tuple[str, tuple[int, int]]], most: int) -> str:
    if not rows:
        return ""
    beyond = len(rows) - _ROWS
    note = f'<div class="nbd-quiet">and {count(beyond, "class")} more: see .counts</div>' if beyond > 0 else ""
    summary = f"<summary>{count(len(rows), 'more class')}</summary>"
    return f"<details>{summary}{_table(rows[:_ROWS], most, {})}{note}</details>"


def _oddities(images: ImageSet) -> str:
    parts = []
    if aside := images.set_aside:
        items = "".join(
            f'<li>{escape(shown(one.path))} <span class="nbd-quiet">&ndash; {escape(one.reason)}</span></li>'
            for one in aside[:_ROWS]
        )
        beyond = f"<li>and {len(aside) - _ROWS:,} more: see .set_aside</li>" if len(aside) > _ROWS else ""
        summary = f"<summary>{count(len(aside), 'file')} set aside</summary>"
        parts.append(f"<details>{summary}<ul>{items}{beyond}</ul></details>")
    if images.skipped:
        passed = ", ".join(f"{number:,} {escape(kind)}" for kind, number in images.skipped)
        parts.append(f'<div class="nbd-quiet">Passed over: {passed}</div>')
    return "".join(parts)


def _examples(images: ImageSet) -> dict[str, list[str]]:
    """Label -> ``<img>`` of its first training files, for the first classes."""
    chosen: dict[str, list[ImageFile]] = {label: [] for label in images.labels[:_CLASSES_WITH_EXAMPLES]}
    for file in images.train:
        if len(chosen.get(file.label, range(_EXAMPLES))) < _EXAMPLES:
            chosen[file.label].append(file)
    return {label: [thumbnail(file.path) for file in files] for label, files in chosen.items()}
