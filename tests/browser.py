"""A real Chromium for the tests that look at pages; skipped with the reason where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

# Every piece of text in what the selector finds against the nearest ground painted behind it; colours are read back
# through a canvas of one pixel. Gives those below WCAG AA.
LOW_CONTRAST = """(selector) => {
  const ink = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (c) => { ink.clearRect(0, 0, 1, 1); ink.fillStyle = c; ink.fillRect(0, 0, 1, 1);
    return [...ink.getImageData(0, 0, 1, 1).data]; };
  const light = (c) => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const low = [];
  for (const root of document.querySelectorAll(selector)) {
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const at = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim() || at.closest('title, style')) continue;
      let ground = at;
      while (ground && rgba(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
      const style = getComputedStyle(at), behind = ground || document.documentElement;
      const pair = [at.closest('svg') ? style.fill : style.color, getComputedStyle(behind).backgroundColor];
      const [a, b] = pair.map(c => light(rgba(c))).sort((x, y) => y - x);
      if ((a + .05) / (b + .05) < 4.5) low.push(walk.currentNode.data.trim() + ' ' + pair.join(' on '));
    }
  }
  return low;
}"""


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """A browser that ends with the block, started with `flags` beside the usual ones."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = CHROMIUM if CHROMIUM.exists() else shutil.which("chromium")
    if not path:
        pytest.skip("there is no chromium here")
    with sync.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=str(path), args=[*FLAGS, *flags])
        yield opened
        opened.close()
