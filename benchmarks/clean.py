"""nd.audit on planted faults, beside cleanvision 0.3.7 in the same run: recall, false flags, copies, labels, speed.

Faults are planted in the embedded digits and in pictures of hands (sign-digits, looked for at ../shared/data or where
NBDEPLOY_BENCH_DATA says), each in a set of its own.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import cleanvision
from benchmarks.cleaning_speed import speed
from benchmarks.planting import Planted, plant

SEED = 1
_RIVAL = {"blank": "low_information", "dark": "dark", "overexposed": "light", "blurred": "blurry"}
_POOR = (*_RIVAL.values(), "odd_size", "odd_aspect_ratio")
_BUDGET = 2  # times the number of wrong labels: what a person looks at
_FLIPPED = 0.05


def run(*, quick: bool) -> None:
    """Print the tables."""
    import nbdeploy as nd
    from nbdeploy.core.progress import quiet

    with tempfile.TemporaryDirectory() as folder, quiet():
        work = Path(folder)
        os.environ.setdefault("NBDEPLOY_CACHE", str(work / "cache"))
        digits = nd.dataset("digits", work / "digits")
        for name, sources in _sources(digits, work):
            planted = plant(sources, work / f"planted-{name}", seed=SEED, share=0.5 if quick else 1)
            _show(name, planted)
        _labels(digits, work)
        speed(work, quick=quick)


def _sources(digits: Path, work: Path) -> Iterator[tuple[str, list[Path]]]:
    from tests.planted import unpack_signs

    yield "digits", sorted(digits.glob("*/*.png"))
    data = Path(os.environ.get("NBDEPLOY_BENCH_DATA", "../shared/data"))
    archive = data / "sign-digits" / "Dataset.tar.gz"
    if archive.is_file():
        yield "sign-digits", unpack_signs(archive, work / "unpacked")
    else:
        print(f"sign-digits: skipped, there is no {archive} (NBDEPLOY_BENCH_DATA names another folder)\n")


def _show(name: str, planted: Planted) -> None:
    import nbdeploy as nd

    found = nd.audit(planted.root)
    kinds = {(row.path, row.kind) for row in found}
    refused = {row.path for row in found.of("truncated", "unreadable", "not_an_image", "empty_file", "image_bomb")}
    readable = [path for path in sorted(planted.root.iterdir()) if path not in refused]
    rival, whole = cleanvision.ask(readable), cleanvision.ask(sorted(planted.root.iterdir()))
    print(f"## {name}: {found.files:,} files, {len(planted.clean):,} of them clean\n")
    print(f"cleanvision on all files: {f'aborts ({whole.failed})' if whole.failed else 'runs'}; below, without those\n")
    print("| fault | planted | nbdeploy | cleanvision |\n|---|---|---|---|")
    for fault, paths in planted.faults.items():
        kind = planted.kinds[fault]
        ours = sum((path, kind) in kinds or (fault == "garbled JPEG" and path in refused) for path in paths)
        flagged = rival.flags.get(_RIVAL.get(kind, ""), set())
        theirs = "aborts" if set(paths) <= refused else sum(str(path) in flagged for path in paths)
        print(f"| {fault} | {len(paths)} | {ours} | {theirs} |")
    copied = {"exact_duplicate", "near_duplicate"}
    ours = len({row.path for row in found if row.kind not in copied} & planted.clean)
    poor = {path for name in _POOR for path in rival.flags.get(name, ())}
    print(
        f"| false flags on clean files | {len(planted.clean)} | {ours} | {len(poor & set(map(str, planted.clean)))} |"
    )
    groups = [{row.path, *row.related} for row in found.of(*copied)]
    _show_copies(planted, groups, [set(map(Path, one)) for one in rival.sets])


def _show_copies(planted: Planted, ours: list[set[Path]], theirs: list[set[Path]]) -> None:
    print("\n| near-duplicate | planted | nbdeploy | cleanvision |\n|---|---|---|---|")
    for name, pairs in planted.copies.items():
        hits = [sum(any(set(pair) <= group for group in groups) for pair in pairs) for groups in (ours, theirs)]
        print(f"| {name} | {len(pairs)} | {hits[0]} | {hits[1]} |")
    right = [_precision(planted, groups) for groups in (ours, theirs)]
    print(f"| precision: groups of one picture only | | {right[0]} | {right[1]} |\n", flush=True)


def _precision(planted: Planted, groups: list[set[Path]]) -> str:
    different = {frozenset(group) for group in groups}
    pure = sum(len({planted.family[path] for path in group}) == 1 for group in different)
    return f"{pure / max(1, len(different)):.1%} of {len(different)}"


def _labels(digits: Path, work: Path) -> None:
    import nbdeploy as nd

    files = sorted(digits.glob("*/*.png"))
    print(f"## labels: digits, {_FLIPPED:.0%} of {len(files):,} flipped\n")
    print("| seed | flipped | found in the first 2 x as many | share |\n|---|---|---|---|")
    for seed in range(3):
        pick = random.Random(seed)
        wrong = set(pick.sample(files, round(_FLIPPED * len(files))))
        labels = {f: pick.choice(sorted({*map(str, range(10))} - {f.parent.name})) for f in sorted(wrong)}
        table = work / f"labels{seed}.csv"
        lines = [f"{f},{labels.get(f, f.parent.name)}" for f in files]
        table.write_text("\n".join(["path,label", *lines]), encoding="utf-8")
        errors = nd.audit(nd.ImageSet.from_csv(table)).of("label_error")
        hits = len({row.path for row in errors[: _BUDGET * len(wrong)]} & wrong)
        print(f"| {seed} | {len(wrong)} | {hits} | {hits / len(wrong):.0%} |", flush=True)
    print()
