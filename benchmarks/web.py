"""The page in a real Chromium beside the native runtime, on the same model file.

Time until the page can answer, on a first visit and from what it keeps offline, and time of one classification: the
model alone, and with the picture's decoding and resizing. Page and native run in turns, one thread each. The weights
are random: they do not change how long a model takes.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

NETS = ("resnet18", "mobilenet_v3_small")
TARGETS = ("web", "tfjs")
SIZE = 224
READY = "window.nbdeploy.ready"
ASK = """async ({ url, times }) => {
  const picture = await (await fetch(url)).blob();
  const rows = [];
  for (let i = 0; i < times; i++) {
    const { inference_ms, prepare_ms } = await window.nbdeploy.classify(picture);
    rows.push([inference_ms, prepare_ms]);
  }
  return rows;
}"""


def run(*, quick: bool) -> None:
    """Print the table."""
    import nbdeploy as nd

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        pictures = _pictures(work / "pictures")
        print(f"{SIZE} px, one thread, random weights; ms are medians, page and native in turns\n")
        print(
            "| net | page | model MB | first load s | kept s | model ms | native ms | ratio | with picture ms "
            "| native ms | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|"
        )
        for net in NETS:
            program = nd.export(_learner(net, pictures))
            for target in TARGETS:
                bundle = nd.deploy(
                    program,
                    target=target,
                    out=work / f"{net}-{target}",
                    latency_runs=0,
                    samples=2,
                    accept_failed="random weights answer at random",
                )
                print(_row(net, bundle, rounds=2 if quick else 8), flush=True)


def _pictures(folder: Path) -> Path:
    """A few photographs' worth of noise, 1280 x 960, as JPEG in two classes."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for label in ("one", "other"):
        (folder / label).mkdir(parents=True)
        for number in range(4):
            small = Image.fromarray(random.integers(0, 256, (96, 128, 3), dtype=np.uint8))
            small.resize((1280, 960), Image.Resampling.BICUBIC).save(folder / label / f"{number}.jpg", quality=90)
    return folder


def _learner(net: str, pictures: Path) -> Any:
    import torchvision
    from fastai.vision.all import ImageDataLoaders, Resize, vision_learner

    dls = ImageDataLoaders.from_folder(pictures, valid_pct=0.5, seed=0, item_tfms=Resize(SIZE), bs=2, num_workers=0)
    return vision_learner(dls, getattr(torchvision.models, net), pretrained=False)


def _row(net: str, bundle: Any, *, rounds: int) -> str:
    from playwright.sync_api import sync_playwright

    from nbdeploy import registry
    from nbdeploy.targets.page.browser import FLAGS, found, served

    sample = bundle.path / bundle.manifest["samples"][0]
    pixels = bundle.classifier.prepare(sample)
    native = registry.targets.load(bundle.target)().load(str(bundle.model), 1)
    page_rows: list[list[float]] = []
    native_model: list[float] = []
    native_whole: list[float] = []
    with served(bundle.path) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found(), args=FLAGS)
        page = browser.new_context().new_page()
        page.set_default_timeout(0)
        first = _timed(lambda: (page.goto(url), page.evaluate(READY)))
        while page.inner_text("#standing") != "Works offline":
            time.sleep(0.1)
        kept = statistics.median(_timed(lambda: (page.reload(), page.evaluate(READY))) for _ in range(3))
        for _ in range(rounds):
            page_rows += page.evaluate(ASK, {"url": f"{url}samples/{sample.name}", "times": 5})
            for _ in range(5):
                prepared = _timed(lambda: bundle.classifier.prepare(sample))
                asked = _timed(lambda: native(pixels))
                native_model.append(1000 * asked)
                native_whole.append(1000 * (prepared + asked))
        browser.close()
    model, whole = (statistics.median(values) for values in (next(zip(*page_rows, strict=True)), map(sum, page_rows)))
    there, there_whole = statistics.median(native_model), statistics.median(native_whole)
    return (
        f"| {net} | {bundle.target} | {bundle.size_bytes / 1e6:.1f} | {first:.2f} | {kept:.2f} "
        f"| {model:.1f} | {there:.1f} | {model / there:.2f} "
        f"| {whole:.1f} | {there_whole:.1f} | {whole / there_whole:.2f} |"
    )


def _timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
