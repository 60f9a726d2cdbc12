"""Findings about one file at a time: its format, and how its picture stands beside others of its size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from nbdeploy.core.finding import Finding
from nbdeploy.data.facts import SMALL, Facts

# The limits below were set on photos (348 x 300), webcam pictures of hands (100 x 100) and handwritten digits
# (32 x 32), clean and with planted faults.
_BLANK_SPAN = 6  # grey values between the darkest and the brightest percentile
_DARK = 80  # dimming to 30 % gives 50 to 76; the darkest of the clean ones has 177
_NOISY = 6.0  # Gaussian noise of 15 gives 7 to 10, fine texture 2.3
_NOISY_TIMES = 3
_NOISY_SMALL = 1.5  # black paper cuts half of the noise off: 1.4 to 6.5, where digits have .4
_NOISY_SMALL_TIMES = 3  # times the upper quartile: texture of small photos differs as much as 0.4 to 7
_SLACK_SMALL = 3.5  # times the spread below the usual steepness: 2 of 1,797 digits, and nearly all that were blurred
_ROUGH = 8.0  # garbled blocks have 8 to 180, the roughest ones of digits at most 1.4, of hands 34 ...
_ROUGH_TIMES = 2  # ... so they have to be out of the ordinary
_SATURATED = 0.13  # share above the usual: doubled brightness gives .06 to .86, clean pictures .02, white digits .12
_BRIGHTER = 1.25  # ... and times the usual mean, which tells white strokes from burnt pictures
_SOFT = 0.025  # of Facts.least: blur and motion blur stay below, clean pictures of 100 pixels and more above
_SOFT_SHARE = 0.13  # low resolution is soft everywhere: then only those far below their fellows are named
_LESS_SHARP = 0.4  # times the usual: a stroke has one soft direction too, but stays sharp
_ALIKE = 20  # fellows of about the same size, to say what is usual among them
_FEW_PIXELS = 8
_ODD_SIZE = 4.0  # times the usual side, or one over it
_ODD_SHAPE = 2.5  # times the usual ratio of the sides
_PLACES = {"MPO": "JPEG"}
_EXTENSIONS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    ".png": "PNG",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".jp2": "JPEG2000",
    ".tga": "TGA",
    ".heic": "HEIC",
    ".heif": "HEIC",
}
_BLOCKS = ("JPEG", "MPO")  # formats whose damage comes in blocks
_GARBLED = {"garbled", "seam"}
_NOTES = {
    "garbled": (0.95, "its compressed pixels do not end where they should: bytes of it were overwritten", "exclude"),
    "seam": (0.7, "a seam runs along a row of its blocks, as where bytes of a JPEG were overwritten", "look"),
    "exif_rotated": (0.6, "turned only by EXIF: nd.train turns it so, fastai by itself does not", "rotate"),
    "sixteen_bit": (0.6, "16 bits a channel: nd.train scales them to 0..255, fastai by itself clips them", "look"),
    "float_pixels": (0.6, "float pixels: nd.train scales them to 0..255, fastai by itself clips them", "look"),
    "cmyk": (0.4, "in CMYK: converted to RGB, which may shift colours", "look"),
    "animated": (0.4, "several frames, of which only the first is used", "look"),
    "alpha": (0.2, "transparency, which training drops", "look"),
    "palette": (0.2, "colours from a palette: converted to RGB", "look"),
}


def quality_findings(paths: Sequence[Path], every: Sequence[Facts]) -> Iterator[Finding]:
    """Every finding of the kinds that a file shows by itself or beside the others of its size."""
    fellows = _Fellows(every)
    for path, facts in zip(paths, every, strict=True):
        for kind, score, evidence, suggest in _of(path, facts, fellows):
            yield Finding(path, kind, min(1.0, max(0.0, score)), evidence, suggest=suggest, sha256=facts.sha256)


class _Fellows:
    """What is usual, over pictures of about the same number of pixels where there are enough of them."""

    def __init__(self, every: Sequence[Facts]) -> None:
        seen = [facts for facts in every if facts.size[0]]
        self.side = median(map(_side, seen)) if seen else 0.0
        self.shape = median(facts.size[0] / facts.size[1] for facts in seen) if seen else 1.0
        groups: defaultdict[int, list[Facts]] = defaultdict(list)
        measured = [facts for facts in seen if facts.measured]
        for facts in measured:
            groups[_group(facts)].append(facts)
        self._usual = {group: _usual(some) for group, some in groups.items() if len(some) >= _ALIKE}
        self._all = _usual(measured)

    def of(self, facts: Facts) -> dict[str, float]:
        return self._usual.get(_group(facts), self._all)


def _side(facts: Facts) -> float:
    return math.sqrt(facts.size[0] * facts.size[1])


def _group(facts: Facts) -> int:
    return round(math.log2(_side(facts)))


def _usual(some: Sequence[Facts]) -> dict[str, float]:
    # On the good side of the middle, so that many faults of one kind do not become what is usual.
    places = {"sharpness": 0.75, "least": 0.75, "mean": 0.5, "noise": 0.25, "saturated": 0.5, "bright": 0.75}
    ranked = {name: sorted(getattr(facts, name) for facts in some) for name in places}
    usual = {name: ranked[name][int(at * (len(some) - 1))] if some else 0.0 for name, at in places.items()}
    grain, rough = sorted(facts.noise for facts in some), sorted(facts.roughest for facts in some)
    last = len(some) - 1
    usual["grain"] = grain[int(0.75 * last)] if some else 0.0
    usual["roughest"] = rough[int(0.97 * last)] if last >= _ALIKE else math.inf
    return {**usual, "steep": _steepest_soft(some)}


def _steepest_soft(some: Sequence[Facts]) -> float:
    """The steepness below which a small picture is soft: further below the usual than pictures like these differ."""
    steep = sorted(facts.steep for facts in some if max(facts.size) <= SMALL and facts.span > _BLANK_SPAN)
    if len(steep) < _ALIKE:
        return 0.0
    low, usual, high = (steep[int(at * (len(steep) - 1))] for at in (0.1, 0.5, 0.9))
    if not low:
        return 0.0
    return usual / float(max(high / usual, usual / low) ** _SLACK_SMALL)


_Row = tuple[str, float, str, str]


def _of(path: Path, facts: Facts, fellows: _Fellows) -> Iterator[_Row]:
    kind, reason = facts.refused
    if kind:
        yield kind, 1.0, reason, "exclude"
        return
    named, holds = _EXTENSIONS.get(path.suffix.lower()), _PLACES.get(facts.format, facts.format)
    if named and named != holds:
        yield "wrong_extension", 0.7, f"named {path.suffix} and holds {holds}", "look"
    for note in facts.notes:
        if note in _NOTES:
            score, evidence, suggest = _NOTES[note]
            yield "garbled" if note in _GARBLED else note, score, evidence, suggest
    yield from _shape(facts, fellows)
    if facts.measured:
        yield from _light(facts, fellows.of(facts))


def _shape(facts: Facts, fellows: _Fellows) -> Iterator[_Row]:
    width, height = facts.size
    size = f"{width:,} x {height:,} pixels"
    times = _side(facts) / fellows.side
    if min(facts.size) < _FEW_PIXELS or not 1 / _ODD_SIZE < times < _ODD_SIZE:
        score = 1 - 0.5 * _ODD_SIZE * min(times, 1 / times)
        yield "odd_size", score, f"{size}, where the usual side is {fellows.side:,.0f}", "look"
    times = width / height / fellows.shape
    if not 1 / _ODD_SHAPE < times < _ODD_SHAPE:
        usual = f"1 : {1 / fellows.shape:.2f}"
        yield "odd_aspect", 1 - 0.5 * _ODD_SHAPE * min(times, 1 / times), f"{size}, usual is {usual}", "look"


def _light(facts: Facts, usual: dict[str, float]) -> Iterator[_Row]:
    if facts.span <= _BLANK_SPAN:
        yield "blank", 1 - facts.span / 64, f"its grey values span {facts.span:.0f} of 255", "exclude"
        return
    if facts.bright < _DARK and facts.bright < usual["bright"] / 2:
        evidence = f"99 % of its pixels are below {facts.bright:.0f} of 255 (usual {usual['bright']:.0f})"
        yield "dark", 1 - facts.bright / 2 / _DARK, evidence, "look"
    burnt = facts.saturated - usual["saturated"]
    if burnt > _SATURATED and facts.mean > _BRIGHTER * usual["mean"]:
        evidence = f"{facts.saturated:.0%} of its pixels are white (usual {usual['saturated']:.0%})"
        yield "overexposed", 0.5 + 0.5 * facts.saturated, evidence, "look"
    small = max(facts.size) <= SMALL
    least = _NOISY_SMALL if small else _NOISY
    if facts.noise > max(least, _NOISY_SMALL_TIMES * usual["grain"] if small else _NOISY_TIMES * usual["noise"]):
        evidence = f"noise of {facts.noise:.1f} grey values in its flat parts (usual {usual['noise']:.1f})"
        yield "noisy", 1 - 0.5 * least / facts.noise, evidence, "look"
    elif facts.format in _BLOCKS and facts.roughest > max(_ROUGH, _ROUGH_TIMES * usual["roughest"]):
        evidence = f"its roughest block is {facts.roughest / usual['roughest']:.1f} times as rough as those of others"
        if not _GARBLED.intersection(facts.notes):
            yield "garbled", 0.6, evidence, "look"
    if small:
        if facts.steep < usual["steep"]:
            evidence = f"its edges rise by {facts.steep:.0%} of its contrast a pixel (soft below {usual['steep']:.0%})"
            yield "blurred", 1 - 0.5 * facts.steep / usual["steep"], evidence, "look"
        return
    limit = min(_SOFT, _SOFT_SHARE * usual["least"])
    if facts.least < limit and facts.sharpness < _LESS_SHARP * usual["sharpness"]:
        evidence = f"sharpness {facts.least:.2g} in its softest direction (usual {usual['least']:.2g})"
        yield "blurred", 1 - 0.5 * facts.least / limit, evidence, "look"
