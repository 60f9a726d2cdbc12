"""The check ``browser``: a real Chromium opens the bundle's page and is asked about every sample.

Run as a module it is the process that does so: the bundle's folder in, one JSON document out.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbdeploy.core import working
from nbdeploy.core.recipe import RECIPES, Recipe
from nbdeploy.core.report import Check, Status
from nbdeploy.targets.page import site

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

NAME = "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "msedge", "chrome")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
FLAGS = (
    "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
_PATIENCE_S = 600
_ASK = """async (pictures) => {
  await window.nbdeploy.ready;
  const answers = [];
  for (const picture of pictures) {
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    answers.push((await window.nbdeploy.classify(new Blob([bytes]))).values);
  }
  return answers;
}"""


def browser_check(bundle: Bundle, runtime: site.Runtime) -> Check:
    """Passed when the page, in a Chromium of this machine, answers every sample as the original model does."""
    if importlib.util.find_spec("playwright") is None:
        return _not_run('playwright is not installed. Type: pip install "nbdeploy[web]"')
    if not found():
        return _not_run("there is no Chromium, Chrome or Edge here; install one with your system's packages")
    if strange := site.foreign(bundle.path, runtime):
        return _not_run(f"app/web/{strange} is not this nbdeploy's own, or npm's cache is empty, so it was not opened")
    rows = json.loads((bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]
    try:
        answers = _answers(bundle.path)
    except RuntimeError as error:
        return Check(NAME, Status.failed, why=f"the page did not answer: {error}")
    expected = np.array([list(row["probabilities"].values()) for row in rows])
    return judged(np.array(answers, dtype=np.float64), expected, RECIPES[bundle.recipe])


def judged(answers: np.ndarray, expected: np.ndarray, recipe: Recipe) -> Check:
    """`answers` and `expected` are probabilities ``[samples, classes]``, the page's and the original model's.

    Held to the recipe's own limits: answers that differ by more than a tie, and the largest drift, or where the recipe
    sets no limit to that the mean.
    """
    if answers.shape != expected.shape or not np.isfinite(answers).all():
        return Check(NAME, Status.failed, why="the page gave no probabilities for some samples")
    rows = np.arange(len(expected))
    lead = answers.max(axis=1) - answers[rows, expected.argmax(axis=1)]
    same = float((lead <= recipe.tie).mean())
    drift = np.abs(answers - expected)
    value, limit, which = (
        (float(drift.mean()), recipe.mean_drift, "mean")
        if recipe.max_drift is None
        else (float(drift.max()), recipe.max_drift, "largest")
    )
    good = same >= recipe.min_agreement and value <= limit
    why = f"{which} drift of the page in a real Chromium over {len(rows)} samples; {same:.0%} got the original's answer"
    return Check(NAME, Status.passed if good else Status.failed, value, limit, why)


def _not_run(why: str) -> Check:
    return Check(NAME, Status.not_run, why=why)


def found() -> str:
    """The path of a Chromium that is installed here, or ""; nothing is ever downloaded."""
    named = (shutil.which(name) for name in NAMES)
    placed = (place for place in _PLACES if Path(place).is_file())
    return next((path for path in (*named, *placed) if path), "") or _of_playwright()


def _of_playwright() -> str:
    """The Chromium that a person had playwright install, in the folder where it puts them."""
    home = Path.home()
    roots = (
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH"),
        home / ".cache/ms-playwright",
        home / "Library/Caches/ms-playwright",
        home / "AppData/Local/ms-playwright",
    )
    inside = ("chrome-linux*/chrome", "chrome-mac*/*.app/Contents/MacOS/*", "chrome-win*/chrome.exe")
    paths = (path for root in roots if root for one in inside for path in Path(root).glob(f"chromium-*/{one}"))
    return next((str(path) for path in sorted(paths, reverse=True)), "")


def _answers(folder: Path) -> list[list[float]]:
    # A process of its own: a notebook's loop does not let playwright run, and a browser that hangs can be ended.
    command = [sys.executable, "-m", "nbdeploy.targets.page.browser", str(folder)]
    try:
        done = working.run(command, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"nothing within {_PATIENCE_S} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise RuntimeError(lines[-1][:300] if lines else f"status {done.returncode}")
    answers: list[list[float]] = json.loads(done.stdout)
    return answers


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The bundle at `folder`, served by `nbdeploy serve` in a process of its own; gives the page's address."""
    command = [sys.executable, "-m", "nbdeploy", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line:
                raise RuntimeError(
                    (server.stderr.read() if server.stderr else "").strip() or "the server did not start"
                )
            yield str(json.loads(line)["url"])
        finally:
            server.kill()


def main(folder: Path) -> None:
    """What the process does: serve, open, ask, print."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra

    rows = json.loads((folder / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]
    pictures = [(folder / "samples" / Path(row["file"]).name).read_bytes() for row in rows]
    with served(folder) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found(), args=FLAGS)
        page: Any = browser.new_context(service_workers="block").new_page()
        page.set_default_timeout(_PATIENCE_S * 1000)
        page.goto(url)
        answers = page.evaluate(_ASK, [base64.b64encode(picture).decode() for picture in pictures])
        browser.close()
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
