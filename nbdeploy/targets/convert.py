"""Lower a Program in a process of its own: converters are noisy, heavy on memory, and may die.

What the converter prints goes to a log. The child ends when its parent does, however that ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core import working
from nbdeploy.core.artifact import Artifact
from nbdeploy.core.files import log_file, parts, sha256_of_parts, write_json
from nbdeploy.core.recipe import Recipe, recipe_named
from nbdeploy.core.signature import Signature
from nbdeploy.core.versions import installed
from nbdeploy.errors import ConversionError, UsageError
from nbdeploy.registry import targets

if TYPE_CHECKING:
    import numpy as np

    from nbdeploy.exporting.program import Program
    from nbdeploy.targets.base import Target

_BASE, _MODEL = "base", "model"
_STAGE = "stage.txt"
_LOOK_S = 0.2


def convert(
    program: Program,
    target: Target,
    recipe: Recipe,
    job: Path,
    *,
    calibration: np.ndarray | None = None,
    about: Mapping[str, str] | None = None,
) -> Artifact:
    """Lower `program` into the folder `job` and give the Artifact. Raises ConversionError with the log's path.

    `calibration` is uint8 ``[n, H, W, C]`` made from training files; a calibrated recipe needs at least one. `about` is
    what the file may say of itself: the bundle's ``name`` and ``version``.
    """
    import numpy as np  # noqa: PLC0415

    from nbdeploy.exporting.program import save_exported  # noqa: PLC0415

    if not recipe.calibrated:
        calibration = None
    elif calibration is None or not len(calibration):
        raise UsageError(
            f"The recipe {recipe.name} needs training pictures to calibrate on, and there are none.",
            hint="Pass images=nd.ImageSet.from_folder('...') (--data FOLDER), or choose dynamic_int8.",
        )
    job.mkdir(parents=True, exist_ok=True)
    save_exported(program.exported, job / "program.pt2")
    write_json(job / "signature.json", program.signature.to_dict())
    if calibration is not None:
        np.save(job / "calibration.npy", calibration, allow_pickle=False)
    wanted = {"target": target.name, "recipe": recipe.name, "calibrated": recipe.calibrated, "about": dict(about or {})}
    write_json(job / "job.json", wanted)
    log = log_file(f"{program.name}-{target.name}-{recipe.name}")
    start = time.monotonic()
    code = _run([sys.executable, "-m", "nbdeploy.targets.convert", str(job)], log, job / _STAGE)
    took = time.monotonic() - start
    model, base = (job / f"{stem}{target.suffix}" for stem in (_MODEL, _BASE))
    if code != 0 or not model.exists():
        raise ConversionError(
            f"Converting to {target.name} with {recipe.name} failed: {_last_words(log, code)}",
            hint=f"What the converter printed is in {log}.",
            log=log,
        )
    return Artifact(
        path=model,
        target=target.name,
        recipe=recipe,
        sha256=sha256_of_parts(model),
        size_bytes=sum(file.stat().st_size for file in parts(model)),
        tools=installed("nbdeploy", *target.tools),
        conversion_s=round(took, 2),
        log=log,
        base=base if base.exists() else None,
    )


def _run(command: list[str], log: Path, stage: Path) -> int:
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with log.open("wb") as file:
        # The child watches its standard input: it closes when this process ends, even by kill -9.
        child = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
        try:
            with working.child(child):
                return _waited(child, stage)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            if child.stdin:
                child.stdin.close()


def _waited(child: subprocess.Popen[bytes], stage: Path) -> int:
    """The child's exit status; meanwhile whoever watches is told what it is at."""
    work, told = working.current(), ""
    while work is not None:
        try:
            return child.wait(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            now = stage.read_text(encoding="utf-8") if stage.exists() else told
            if now != told:
                told = now
                work.watcher.said(now)
    return child.wait()


def _last_words(log: Path, code: int) -> str:
    if code < 0:
        return f"the converter was killed by signal {-code} (out of memory?)"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"it ended with status {code}"


def main(job: Path) -> None:
    """What the child does: read the job, lower, shrink, finish."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numpy as np  # noqa: PLC0415

    from nbdeploy.exporting.program import load_exported  # noqa: PLC0415

    wanted = json.loads((job / "job.json").read_text(encoding="utf-8"))
    target: Target = targets.load(wanted["target"])(wanted["about"])
    signature = Signature.from_dict(json.loads((job / "signature.json").read_text(encoding="utf-8")))
    exported = load_exported((job / "program.pt2").read_bytes(), where=job / "program.pt2")
    recipe = recipe_named(wanted["recipe"])
    model, base = (job / f"{stem}{target.suffix}" for stem in (_MODEL, _BASE))
    stage = job / _STAGE
    stage.write_text(f"lowering to {target.name}", encoding="utf-8")
    if recipe.name == "fp32":
        target.lower(exported, signature, model)
    else:
        calibration = np.load(job / "calibration.npy", allow_pickle=False) if wanted["calibrated"] else None
        target.lower(exported, signature, base)
        stage.write_text(f"shrinking by {recipe.name}", encoding="utf-8")
        target.shrink(base, model, recipe, calibration, signature)
    target.finish(model, signature)


def _end_with_parent() -> None:
    os.read(0, 1)  # nothing is ever sent: it returns when the pipe closes
    os._exit(130)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
