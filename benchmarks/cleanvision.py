"""cleanvision 0.3.7 in an environment of its own, to stand beside nd.audit in the same run."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import environments

VERSION = "0.3.7"
_SCRIPT = """
import json, os, resource, sys, warnings
warnings.simplefilter("ignore")
from cleanvision import Imagelab

def spent():
    some = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in some)

files = json.load(open(sys.argv[1]))
out, sys.stdout = sys.stdout, open(os.devnull, "w")
start = spent()
lab = Imagelab(filepaths=files)
lab.find_issues()
seconds = spent() - start
flags = {}
for column in lab.issues.columns:
    if column.startswith("is_"):
        flags[column[3:-6]] = list(lab.issues.index[lab.issues[column]])
sets = lab.info.get("near_duplicates", {}).get("sets", []) + lab.info.get("exact_duplicates", {}).get("sets", [])
json.dump({"flags": flags, "sets": sets, "seconds": seconds}, out)
"""


@dataclass(frozen=True)
class Answer:
    """What cleanvision said of some files."""

    flags: dict[str, set[str]] = field(default_factory=dict)
    """Issue -> paths."""
    sets: list[list[str]] = field(default_factory=list)
    """Groups of copies."""
    seconds: float = 0.0
    """CPU, children included, imports left out."""
    failed: str = ""
    """The last line of its error, where it gave up."""


def python() -> Path:
    """The interpreter of its environment, which is made in nbdeploy's cache when it is first needed."""
    return environments.python(f"cleanvision-{VERSION}", f"cleanvision=={VERSION}")


def ask(files: Sequence[Path]) -> Answer:
    """Run it on `files`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as listed:
        json.dump(list(map(str, files)), listed)
        listed.flush()
        done = subprocess.run([python(), "-c", _SCRIPT, listed.name], check=False, capture_output=True, text=True)
    if done.returncode:
        return Answer(failed=(done.stderr.strip().splitlines() or ["?"])[-1])
    said = json.loads(done.stdout)
    return Answer({name: set(paths) for name, paths in said["flags"].items()}, said["sets"], said["seconds"])
