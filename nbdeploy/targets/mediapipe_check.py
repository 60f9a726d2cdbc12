"""Whether MediaPipe's own image classifier runs a .tflite file from the file alone, in a process of its own.

python -m nbdeploy.targets.mediapipe_check MODEL PICTURES      prints {"rows": [{label: score}]} for a .npy of pictures
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core import working
from nbdeploy.core.report import Check, Status
from nbdeploy.targets.tflite_metadata import KEY

if TYPE_CHECKING:
    import numpy as np

    from nbdeploy.core.bundle import Bundle

NAME = "mediapipe"
_LONGEST_S = 300


def check(bundle: Bundle) -> Check:
    """MediaPipe's answers on the samples, prepared as the host does, against samples/expected.json."""
    import numpy as np  # noqa: PLC0415

    from nbdeploy.targets.package import load_expected  # noqa: PLC0415

    if not installed():
        return Check(NAME, Status.not_run, why='MediaPipe is not installed; type: pip install "nbdeploy[mediapipe]"')
    if bundle.signature.channels != 3:  # noqa: PLR2004 - red, green, blue
        return Check(NAME, Status.not_run, why="MediaPipe takes only models of RGB pictures, and this one is of gray")
    try:
        if KEY.encode() not in bundle.model.read_bytes():
            return Check(NAME, Status.not_run, why="the file has no metadata; bundles of before have none")
        files, expected, tolerance = load_expected(bundle.path)
        pictures = np.concatenate([bundle.classifier.prepare(file) for file in files])
    except Exception as error:  # noqa: BLE001 - the check "samples" says what is wrong with them
        why = getattr(error, "message", "") or f"{type(error).__name__}: {error}"
        return Check(NAME, Status.not_run, why=f"the samples cannot be prepared ({why})")
    found = _asked(bundle.model, pictures)
    if isinstance(found, list):
        return _judged(found, bundle.labels, expected, tolerance)
    return Check(NAME, Status.failed, why=f"MediaPipe does not run the file: {found}")


def _judged(found: list[dict[str, float]], labels: tuple[str, ...], expected: np.ndarray, tolerance: float) -> Check:
    import numpy as np  # noqa: PLC0415

    if len(found) != len(expected):
        return Check(NAME, Status.failed, why=f"MediaPipe answered {len(found)} of {len(expected)} samples")
    if any(set(row) != set(labels) for row in found):
        return Check(NAME, Status.failed, why="MediaPipe reads other labels from the file than the manifest has")
    apart = float(np.abs(np.array([[row[label] for label in labels] for row in found]) - expected).max())
    why = f"MediaPipe's ImageClassifier, from the file alone, on {len(found)} samples; largest difference"
    return Check(NAME, Status.passed if apart <= tolerance else Status.failed, apart, tolerance, why)


def installed() -> bool:
    """Whether MediaPipe can be imported, as far as can be told without importing it."""
    return importlib.util.find_spec("mediapipe") is not None


def _asked(model: Path, pictures: np.ndarray) -> list[dict[str, float]] | str:
    """What MediaPipe answers, or why it does not."""
    import numpy as np  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "pictures.npy"
        np.save(place, pictures, allow_pickle=False)
        command = [sys.executable, "-m", "nbdeploy.targets.mediapipe_check", str(model), str(place)]
        try:
            done = working.run(
                command,
                env={**os.environ, "PYTHONUTF8": "1", "GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3"},
                timeout=_LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {_LONGEST_S} s"
    try:
        rows: list[dict[str, float]] = json.loads(done.stdout.decode("utf-8").splitlines()[-1])["rows"]
    except (ValueError, IndexError, KeyError):
        lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"its process ended with status {done.returncode}"
    return rows


def main(model: str, pictures: str) -> None:
    """What the process does."""
    import mediapipe  # noqa: PLC0415 - seconds to import
    import numpy as np  # noqa: PLC0415
    from mediapipe.tasks.python import BaseOptions, vision  # noqa: PLC0415

    options: Any = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_buffer=Path(model).read_bytes()), max_results=-1, score_threshold=-1.0
    )
    rows = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for picture in np.load(pictures, allow_pickle=False):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
            (head,) = classifier.classify(image).classifications
            rows.append({one.category_name: one.score for one in head.categories})
    sys.stdout.write(json.dumps({"rows": rows}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
