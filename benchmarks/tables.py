"""Faults planted in real tables and texts: how many the audit finds, and what it suspects without a reason.

Penguins and banking77 lie at ../shared/data; where they are not, that part is left out. Other tables come with
scikit-learn. Figures of penguins are means of five plantings.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
SHARE = 0.05


def run(*, quick: bool) -> None:
    """Print the tables."""
    from nbdeploy.core.progress import quiet as silent

    with silent():
        if (DATA / "penguins" / "penguins.csv").is_file():
            _penguins(2 if quick else 5)
        else:
            print(f"penguins are not at {DATA}")
        _clean()
        if (DATA / "banking77" / "train.csv").is_file():
            _banking(3000 if quick else None)
        else:
            print(f"banking77 is not at {DATA}")
        _large(100_000 if quick else 1_000_000)


def typo(word: str, pick: random.Random) -> str:
    """The word with a slip: other case, a space, two letters exchanged, one left out or doubled."""
    at = pick.randrange(1, len(word) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    slips = (word.lower(), word.upper(), f"{word} ", swapped, word[:at] + word[at + 1 :], word[: at + 1] + word[at:])
    return pick.choice([slip for slip in slips if slip != word])


def garbled(text: str, pick: random.Random) -> str:
    """The text with a sign that was read in the wrong encoding, or lost."""
    sign = pick.choice("éü’–€")
    return f"{text} {pick.choice((sign.encode().decode('cp1252', 'replace'), sign.encode().decode('latin-1')))}"


def _penguins(times: int) -> None:
    import nbdeploy as nd

    table = _frame(DATA / "penguins" / "penguins.csv")
    recall: dict[str, list[float]] = {}
    other: list[int] = []
    for seed in range(times):
        pick = random.Random(seed)
        dirty, wanted = _plant(table, pick)
        found = nd.audit(dirty, label="species", split="split", seed=seed)
        hit: dict[str, set[Any]] = {}
        for row in found:
            places = (
                {row.place.row, *row.place.rows} if row.kind not in {"duplicate_row", "split_leak"} else {row.place.row}
            )
            hit.setdefault(row.kind, set()).update((place, row.place.column) for place in places)
            hit[row.kind].add((None, row.place.column))
        for name, (kind, cells) in wanted.items():
            recall.setdefault(name, []).append(len(cells & hit.get(kind, set())) / len(cells))
        planted = {cell for _, cells in wanted.values() for cell in cells} | {
            (row, None) for _, cells in wanted.values() for row, _ in cells
        }
        missing = {"missing_values", "label_error"}
        rows = [row for row in found if row.kind not in missing and row.place.row is not None]
        other.append(
            sum(
                (row.place.row, row.place.column) not in planted and (row.place.row, None) not in planted
                for row in rows
            )
        )
        errors, truth = _flipped(table, "species", pick)
        ranked = [row.place.row for row in nd.audit(errors, label="species", seed=seed).of("label_error")]
        recall.setdefault(f"labels, {SHARE:.0%} flipped (first 2x)", []).append(
            len(set(ranked[: 2 * len(truth)]) & truth) / len(truth)
        )
    print(f"\npenguins, {len(table)} rows, {times} plantings; rows flagged that were not planted: {mean(other):.1f}\n")
    print("| fault | found |\n|---|---|")
    for name, shares in recall.items():
        print(f"| {name} | {mean(shares):.0%} |")


def _plant(table: Any, pick: random.Random) -> tuple[Any, dict[str, tuple[str, set[Any]]]]:
    """The table with faults, and fault -> (kind, the cells where it was planted)."""
    import pandas as pd

    table = table.astype(object)
    free = list(range(len(table)))
    pick.shuffle(free)
    wanted: dict[str, tuple[str, set[Any]]] = {}

    def put(name: str, kind: str, columns: list[str], number: int, change: Callable[[Any], Any]) -> None:
        cells = set()
        while len(cells) < number:
            row, column = free.pop(), pick.choice(columns)
            if table.loc[row, column] == table.loc[row, column]:
                table.loc[row, column] = change(table.loc[row, column])
                cells.add((row, column))
        wanted[name] = (kind, cells)

    amounts = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    put("misspelt category", "suspicious_category", ["species", "island", "sex"], 12, lambda word: typo(word, pick))
    put("garbled category", "encoding_damage", ["island"], 6, lambda word: garbled(word, pick))
    put("amount times 10 or 100", "value_outlier", amounts, 10, lambda amount: amount * pick.choice((10, 100)))
    put("number with its unit", "mixed_types", amounts, 8, lambda amount: f"{amount} mm")
    put("? - -- for missing", "missing_values", amounts, 8, lambda _: pick.choice(("?", "-", "--")))
    put("-999 for missing", "missing_values", ["body_mass_g"], 5, lambda _: -999)
    copies = [free.pop() for _ in range(20)]
    table["split"] = ["valid" if pick.random() < 0.2 else "train" for _ in range(len(table))]
    table.loc[copies, "split"] = "train"
    twins = table.loc[copies].assign(split=["train"] * 10 + ["valid"] * 10)
    start = len(table)
    table = pd.concat([table, twins], ignore_index=True)
    wanted["equal row"] = ("duplicate_row", {(start + at, "") for at in range(10)})
    wanted["equal row held out"] = ("split_leak", {(start + at, "") for at in range(10, 20)})
    table["number"] = range(len(table))
    table["mass_lb"] = [
        amount * 2.20462 if isinstance(amount, int | float) else None for amount in table["body_mass_g"]
    ]
    table["where"] = table["island"]
    table["station"] = "Palmer"
    table["code"] = table["species"].map(lambda name: {"a": 11, "c": 12, "g": 13}[str(name).strip().lower()[0]])
    for kind, column in (
        ("id_column", "number"),
        ("duplicate_column", "where"),
        ("constant_column", "station"),
        ("leaking_column", "code"),
    ):
        wanted[kind.replace("_", " ")] = (kind, {(None, column)})
    return table, wanted


def _flipped(table: Any, label: str, pick: random.Random) -> tuple[Any, set[int]]:
    wrong = pick.sample(range(len(table)), round(SHARE * len(table)))
    labels = sorted(table[label].unique())
    given = table[label].tolist()
    for row in wrong:
        given[row] = pick.choice([other for other in labels if other != given[row]])
    return table.assign(**{label: given}), set(wrong)


def _clean() -> None:
    """What is suspected in tables that are known to be clean, and wrong labels in them."""
    from sklearn import datasets

    import nbdeploy as nd

    print("\n| table | rows | suspected when clean | labels, 5 % flipped (first 2x) |\n|---|---|---|---|")
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        found = nd.audit(frame, label="target")
        kinds = (
            ", ".join(f"{number} {kind}" for kind, number in found.counts.items() if kind != "label_error") or "nothing"
        )
        share = "(an amount)"
        if name != "diabetes":
            errors, truth = _flipped(frame, "target", random.Random(1))
            ranked = [row.place.row for row in nd.audit(errors, label="target").of("label_error")]
            share = f"{len(set(ranked[: 2 * len(truth)]) & truth) / len(truth):.0%}"
        print(f"| {name} | {len(frame):,} | {kinds} | {share} |")


def _banking(most: int | None) -> None:
    import pandas as pd

    import nbdeploy as nd

    parts = [_frame(DATA / "banking77" / f"{name}.csv") for name in ("train", "test")]
    table = pd.concat([parts[0].assign(split="train"), parts[1].assign(split="valid")], ignore_index=True)[:most]
    start = time.process_time()
    clean = nd.audit(table, label="category", split="split")
    seconds = time.process_time() - start
    texts, labels = table["text"].tolist(), table["category"].tolist()
    start = time.process_time()
    nd.audit(texts)
    copies = time.process_time() - start
    print(
        f"\nbanking77, {len(table):,} texts: {seconds:.0f} s of CPU in all, {copies:.0f} s without labels; as it is:\n"
    )
    print("| kind | number |\n|---|---|")
    for kind, number in clean.counts.items():
        print(f"| {kind} | {number:,} |")
    pairs = clean.of("near_duplicate")
    same = mean(labels[row.place.row] == labels[row.place.rows[0]] for row in pairs)
    print(f"\n{same:.0%} of the near copies bear the label of their twin.\n")
    pick = random.Random(0)
    free = pick.sample(range(len(texts)), len(texts))
    wanted: dict[str, tuple[str, set[int]]] = {}

    def put(name: str, kind: str, number: int, change: Callable[[str], str]) -> None:
        rows = {free.pop() for _ in range(number)}
        for row in rows:
            texts[row] = change(texts[row])
        wanted[name] = (kind, rows)

    put("emptied", "empty_text", 50, lambda _: pick.choice(("", "  ", "...", "N/A", "?")))
    put("garbled", "encoding_damage", 50, lambda text: garbled(text, pick))
    put("lost letter, HTML", "encoding_damage", 50, lambda text: text + pick.choice((" \ufffd", " &amp;", " &nbsp;")))
    untouched = set(free)
    for name, kind, change in (
        ("copy", "exact_duplicate", lambda text: text),
        ("other case and punctuation", "near_duplicate", lambda text: text.upper().rstrip("?.") + " !"),
        ("one letter left out", "near_duplicate", _without_a_letter),
        ("one word more", "near_duplicate", lambda text: f"{text} please"),
    ):
        sources = [row for row in range(len(table)) if len(table["text"][row]) > 30 and row in untouched]
        rows = set()
        for row in pick.sample(sources, 50):
            rows.add(len(texts))
            texts.append(change(table["text"][row]))
            labels.append(labels[row])
        wanted[name] = (kind, rows)
    found = nd.audit(texts, label=labels)
    hit: dict[str, set[int]] = {}
    for row in found:
        hit.setdefault(row.kind, set()).update((row.place.row, *row.place.rows))
    print("| fault | found |\n|---|---|")
    for name, (kind, rows) in wanted.items():
        print(f"| {name} | {len(rows & hit.get(kind, set()))} of {len(rows)} |")
    errors, truth = _flipped(table, "category", pick)
    ranked = [row.place.row for row in nd.audit(errors, label="category").of("label_error")]
    print(f"| labels, {SHARE:.0%} flipped (first 2x) | {len(set(ranked[: 2 * len(truth)]) & truth)} of {len(truth)} |")


def _without_a_letter(text: str) -> str:
    at = len(text) // 2
    return text[:at] + text[at + 1 :]


def _large(rows: int) -> None:
    import resource

    import pandas as pd

    import nbdeploy as nd

    numbers = np.random.default_rng(0)
    columns: dict[str, Any] = {f"amount{at}": numbers.normal(size=rows) for at in range(10)}
    columns |= {f"whole{at}": numbers.integers(0, 100, rows) for at in range(4)}
    columns |= {f"colour{at}": numbers.choice(["red", "green", "blue", "yellow"], rows) for at in range(4)}
    columns |= {"number": np.arange(rows), "name": [f"user {at}" for at in range(rows)]}
    frame = pd.DataFrame(columns)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = nd.audit(frame)
    seconds = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    own = frame.memory_usage(deep=True).sum() / 1e9
    said = ", ".join(f"{number} {kind}" for kind, number in Counter(found.counts).items())
    print(
        f"\n{rows:,} rows x {len(columns)} columns: {seconds:.0f} s of CPU, {more:.1f} GB beside the table's {own:.1f}"
    )
    print(f"suspected: {said}")


def _frame(path: Path) -> Any:
    import pandas as pd

    return pd.read_csv(path)
