"""The cleaner with 10,000 pictures in a real JupyterLab and Chromium: first image, jumps, live nodes, frames."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
JUMPS = 12

CELLS = {
    "make": """import time, warnings
import nbdeploy as nd
from nbdeploy.data.findings import Findings
warnings.simplefilter("ignore")
images = nd.ImageSet.from_folder("pictures")
findings, start = Findings((), files=len(images)), time.perf_counter()
cleaner = nd.Cleaner(images, findings=findings)
print(f"made in {time.perf_counter() - start:.2f} s")""",
    "show": "cleaner",
}

# Pictures that are in sight and decoded, and those in sight that are not yet.
WATCH = """() => {
  const cards = () => {
    const box = document.querySelector('.nbd-grid').getBoundingClientRect();
    return [...document.querySelectorAll('.nbd-card')].filter(card => {
      const {top, bottom} = card.getBoundingClientRect();
      return bottom > box.top && top < box.bottom;
    });
  };
  const there = (card) => { const image = card.querySelector('img'); return image.complete && image.naturalWidth > 0; };
  window.until = (test) => new Promise(done => {
    const look = () => test() ? done(performance.now()) : requestAnimationFrame(look);
    look();
  });
  window.some = () => document.querySelector('.nbd-grid') && cards().some(there);
  window.every = () => document.querySelector('.nbd-grid') && cards().length > 0 && cards().every(there);
}"""
FIRST = """async (command) => {
  const start = performance.now();
  window.jupyterapp.commands.execute(command);
  const first = await until(some), all = await until(every);
  return [first - start, all - start];
}"""
JUMP = """async (share) => {
  const grid = document.querySelector('.nbd-grid');
  const start = performance.now();
  grid.scrollTop = share * (grid.scrollHeight - grid.clientHeight);
  await new Promise(requestAnimationFrame);
  const first = await until(some), all = await until(every);
  return [first - start, all - start, document.querySelectorAll('.nbd-card').length];
}"""
SCROLL = """() => new Promise(done => {
  const grid = document.querySelector('.nbd-grid'), frames = [];
  let most = 0, before = performance.now();
  grid.scrollTop = 0;
  const step = (now) => {
    frames.push(now - before);
    before = now;
    most = Math.max(most, document.querySelectorAll('.nbd-card').length);
    grid.scrollTop += 40;
    if (frames.length < 240) requestAnimationFrame(step); else done([frames.slice(5), most]);
  };
  requestAnimationFrame(step);
})"""


def run(*, quick: bool) -> None:
    """Print the table."""
    from tests.browser import chromium
    from tests.lab import Book, jupyter, write_notebook

    number = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        (own / "work").mkdir()
        _write_pictures(own / "work" / "pictures", number)
        with jupyter(own, ROOT) as server, chromium() as browser:
            write_notebook(server.work / "book.ipynb", list(CELLS.values()))
            book = Book(browser.new_page(viewport={"width": 1600, "height": 1000}), CELLS)
            book.page.set_default_timeout(600_000)
            book.open(server.page("book.ipynb"))
            book.command("notebook:run-cell-and-select-next")
            book.outputs("make").get_by_text("made in").wait_for()
            book.page.evaluate(WATCH)
            _report(book.page, number, book.text("make").removeprefix("made in "))


def _report(page: Any, number: int, made: str) -> None:
    first, screen = page.evaluate(FIRST, "notebook:run-cell")
    pick = random.Random(1)
    jumps = [page.evaluate(JUMP, pick.random()) for _ in range(JUMPS)]
    frames, most = page.evaluate(SCROLL)
    firsts, screens, nodes = zip(*jumps, strict=True)
    frames.sort()
    late = sum(frame > 50 for frame in frames) / len(frames)
    print(f"{number:,} pictures of 320 x 240, JupyterLab in headless Chromium without a GPU, page of 1600 x 1000\n")
    print("| what | figure |\n|---|---|")
    print(f"| nd.Cleaner(images, findings=...) | {made} |")
    print(f"| cell run to the first picture | {first / 1000:.2f} s |")
    print(f"| cell run to a full screen | {screen / 1000:.2f} s |")
    print(f"| jump to the first picture, median of {JUMPS} (largest) | {_seconds(firsts)} |")
    print(f"| jump to a full screen, median of {JUMPS} (largest) | {_seconds(screens)} |")
    print(f"| live cards after a jump, most | {max(nodes)} |")
    print(f"| live cards while scrolling, most | {most} |")
    print(
        f"| frame while scrolling, median (95 %) | {median(frames):.0f} ms ({frames[int(0.95 * len(frames))]:.0f} ms) |"
    )
    print(f"| frames above 50 ms while scrolling | {late:.1%} |")


def _seconds(values: tuple[float, ...]) -> str:
    return f"{median(values) / 1000:.2f} s ({max(values) / 1000:.2f} s)"


def _write_pictures(root: Path, number: int) -> None:
    """Photo-like pictures, each of its own bytes: clouds of colour with grain."""
    import numpy as np
    from PIL import Image

    numbers = np.random.default_rng(1)
    grain = numbers.normal(0, 6, (64, 240, 320, 1))
    for place in range(number):
        cloud = Image.fromarray(numbers.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        pixels = np.asarray(cloud.resize((320, 240), Image.Resampling.BICUBIC)) + grain[place % 64]
        path = root / "abcde"[place % 5] / f"{place:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=85)
