"""Pictures a CPU-second of nd.audit, of cleanvision, and of Pillow's decoder alone, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import cleanvision

_SPENT = """
import json, resource, sys
def spent():
    some = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in some)
files = json.load(open(sys.argv[1]))
"""
_OURS = (
    _SPENT
    + """
import os
import nbdeploy as nd
from nbdeploy.core.progress import quiet
with quiet():
    nd.audit(sys.argv[2])  # so that imports are not counted, as they are not for the others
    start = spent()
    nd.audit(os.path.dirname(files[0]))
print(spent() - start)
"""
)
_FLOOR = (
    _SPENT
    + """
from PIL import Image
Image.init()
start = spent()
for file in files:
    with Image.open(file) as image:
        image.draft(%r, (256, 256))
        image.load()
print(spent() - start)
"""
)
_FEW = 4


def speed(work: Path, *, quick: bool) -> None:
    """Print the table."""
    print("## speed: pictures a CPU-second, children included, imports left out\n")
    print(
        "| pictures | nbdeploy | cleanvision | times | draft, colour | share | draft, grey | share |\n"
        + "|---" * 8
        + "|"
    )
    for name, size, number in (
        ("348 px", (348, 300), 400 if quick else 3000),
        ("12 MP", (4000, 3000), 4 if quick else 24),
    ):
        files = _make(work / name.replace(" ", "-"), size, number)
        small = _make(work / f"warm-{number}", (64, 64), _FEW).pop().parent
        ours = number / _seconds(_OURS, files, str(small))
        theirs = number / cleanvision.ask(files).seconds
        colour, grey = (number / _seconds(_FLOOR % mode, files) for mode in ("RGB", "L"))
        print(
            f"| {number:,} of {name} | {ours:.1f} | {theirs:.2f} | {ours / theirs:.1f} "
            f"| {colour:.1f} | {ours / colour:.0%} | {grey:.1f} | {ours / grey:.0%} |",
            flush=True,
        )


def _make(folder: Path, size: tuple[int, int], number: int) -> list[Path]:
    from tests.planted import jpeg, scene

    folder.mkdir()
    files = [folder / f"{k}.jpg" for k in range(number)]
    for k, file in enumerate(files):
        file.write_bytes(jpeg(scene(k, *size)))
    return files


def _seconds(script: str, files: Sequence[Path], *arguments: str) -> float:
    with tempfile.TemporaryDirectory() as cache, tempfile.NamedTemporaryFile("w", suffix=".json") as listed:
        json.dump(list(map(str, files)), listed)
        listed.flush()
        command = [sys.executable, "-c", script, listed.name, *arguments]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "NBDEPLOY_CACHE": cache}
        )
    return float(done.stdout)
