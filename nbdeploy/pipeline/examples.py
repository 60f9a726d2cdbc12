"""Rows and texts in a pipeline: read, and looked through for what is suspect."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbdeploy.errors import DataError
from nbdeploy.pipeline.spec import Spec

if TYPE_CHECKING:
    from nbdeploy.core.finding import Finding
    from nbdeploy.core.signature import Signature
    from nbdeploy.data.frames import Table as Read
    from nbdeploy.data.labelled import Labelled


def read_examples(spec: Spec) -> Labelled:
    """The rows or texts, as they are. Raises DataError, UnknownName for a column."""
    from nbdeploy.data.rowset import Table  # noqa: PLC0415 - pandas
    from nbdeploy.data.textset import Texts  # noqa: PLC0415

    said = spec.data
    given: dict[str, Any] = {"seed": spec.seed, **{key: said[key] for key in ("valid",) if key in said}}
    if spec.place.is_dir():
        return Texts.from_folder(spec.place, **given)
    if "label" not in said:
        raise DataError(
            f"Which column of {spec.place} is to be predicted?", hint="Type in the file, below data: label: COLUMN"
        )
    given |= {key: said[key] for key in ("label", "split") if key in said}
    if "text" in said:
        return Texts.from_csv(spec.place, text=said["text"], **given)
    return Table.from_csv(spec.place, columns=said.get("columns"), **given)


def looked_through(examples: Labelled, spec: Spec) -> tuple[tuple[int, ...], list[Finding]]:
    """The positions of what `exclude` leaves out, and the findings that remain. Raises DataError."""
    from nbdeploy.data.frames import MOST  # noqa: PLC0415 - pandas
    from nbdeploy.data.tables import audit_table  # noqa: PLC0415

    read, names = _seen(spec)
    at = {file: row for row, file in enumerate(read.files)}
    known = set(examples.rows)
    kinds = set(spec.clean.get("exclude", ()))
    aside = {name for name, _ in getattr(examples, "left_out", ())}
    out: set[int] = set()
    listed: Counter[tuple[str, str]] = Counter()
    others: list[tuple[int | None, Finding]] = []
    for one in audit_table(read, **names, seed=spec.seed):
        column = one.place.column if one.place else ""
        if column in aside:  # nothing is learned from it
            continue
        row = at.get(one.path) if read.files else one.place.row if one.place else None
        if one.kind in kinds and row is not None:
            listed[one.kind, column] += 1
            out |= {row} & known
        elif row is None or row in known:
            others.append((row, one))
    if full := [kind for (kind, _), number in listed.items() if number >= MOST]:
        raise DataError(
            f"{MOST:,} or more of {full[0]} in {spec.place.name}: not all are listed, so they cannot be left out.",
            hint="Take them out of the data itself, or leave the kind out of exclude:.",
        )
    return tuple(sorted(out)), [one for row, one in others if row not in out]


def _seen(spec: Spec) -> tuple[Read, dict[str, str]]:
    """What is audited: of texts in a table nothing but them, their labels and sides, so that equal texts are copies."""
    if spec.place.is_dir():
        from nbdeploy.data.sources import table_of  # noqa: PLC0415 - pandas

        return table_of(spec.place, "texts", "", ""), {}
    from nbdeploy.data.delimited import read_table  # noqa: PLC0415 - pandas

    read = read_table(spec.place)
    names = {key: spec.data[key] for key in ("label", "text", "split") if key in spec.data}
    if "text" not in names:
        return read, names
    here = [read.need(name) for name in names.values()]
    found = tuple(one for one in read.found if one.place is None or one.place.column in {"", *here})
    return replace(read, frame=read.frame[here], found=found), names


def learned_from(signature: Signature) -> str:
    """``7 columns``; ``1,203 words and parts of words``; "" of pictures."""
    from nbdeploy.core.inputs import Rows  # noqa: PLC0415
    from nbdeploy.data.records import count  # noqa: PLC0415

    if signature.given is None:
        return ""
    if isinstance(signature.given, Rows):
        return count(len(signature.given.columns), "column")
    return f"{len(signature.given.vocabulary):,} words and parts of words"
