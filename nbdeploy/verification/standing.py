"""The checks a bundle must pass wherever it stands: hashes, labels, samples, and a load in a fresh process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import BundleError
from nbdeploy.targets.package import host_code, load_expected
from nbdeploy.verification.compare import judge
from nbdeploy.verification.host import ask

if TYPE_CHECKING:
    from nbdeploy.targets.base import Target


def standing_checks(bundle: Bundle) -> list[Check]:
    """Checks ``file_hashes labels samples fresh_process``, and those of the target's own."""
    checks = [_hashes(bundle), _labels(bundle)]
    try:
        files, expected, tolerance = load_expected(bundle.path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"samples/expected.json cannot be read ({error})"
        return [*checks, Check("samples", Status.failed, why=why), Check("fresh_process", Status.not_run, why=why)]
    target = registry.targets.load(bundle.target)()
    own = target.checks(bundle)
    if why := _unable(target, bundle):
        return [*checks, *(Check(name, Status.not_run, why=why) for name in ("samples", "fresh_process")), *own]
    return [*checks, _samples(bundle, files, expected, tolerance), _fresh(bundle, files, expected, tolerance), *own]


def _unable(target: Target, bundle: Bundle) -> str:
    try:
        return target.unable(bundle.model)
    except Exception:  # noqa: BLE001 - a broken model file: running it says so, in the runtime's own words
        return ""


def _hashes(bundle: Bundle) -> Check:
    changed = bundle.changed_files()
    why = f"changed or missing: {', '.join(changed[:3])}" if changed else "every file is as the manifest says"
    return Check("file_hashes", Status.failed if changed else Status.passed, len(changed), 0, why)


def _labels(bundle: Bundle) -> Check:
    path = bundle.path / "labels.txt"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    same = tuple(lines) == bundle.labels
    why = "labels.txt has the manifest's labels in output order" if same else "labels.txt differs from the manifest"
    return Check("labels", Status.passed if same else Status.failed, len(lines), len(bundle.labels), why)


def _samples(bundle: Bundle, files: list[Path], expected: np.ndarray, tolerance: float) -> Check:
    try:
        answers = np.stack([bundle.classifier.probabilities(bundle.classifier.prepare(file)) for file in files])
    except Exception as error:  # noqa: BLE001 - every runtime has errors of its own
        why = getattr(error, "message", "") or f"{type(error).__name__}: {error}"
        return Check("samples", Status.failed, why=f"the model does not run: {why}")
    why = f"largest difference from samples/expected.json over {len(files)} {bundle.signature.noun}s"
    return judge("samples", _apart(answers, expected), tolerance, why)


def _fresh(bundle: Bundle, files: list[Path], expected: np.ndarray, tolerance: float) -> Check:
    if why := foreign_code(bundle):
        return Check("fresh_process", Status.not_run, why=why)
    try:
        answers = ask(bundle, files)
    except BundleError as error:
        return Check("fresh_process", Status.failed, why=error.message)
    why = "the bundle's own code in a new process, against samples/expected.json"
    return judge("fresh_process", _apart(answers, expected), tolerance, why)


def foreign_code(bundle: Bundle) -> str:
    """Why the bundle's own code must not be run; "" where it may.

    A bundle may come from a stranger: its code is run only when it is the code that nbdeploy itself puts there.
    """
    app = bundle.path / "app" / "python"
    own = host_code(registry.targets.load(bundle.target), bundle.signature.kind)
    foreign = [name for name, path in own.items() if not _equal(app / name, path)]
    return f"app/python/{foreign[0]} is not this nbdeploy's own, so it was not executed" if foreign else ""


def _equal(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def _apart(answers: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(answers - expected).max()) if answers.shape == expected.shape else float("nan")
