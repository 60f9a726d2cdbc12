"""Classify files with the model of this bundle. Needs numpy, Pillow and the runtime named in requirements.txt.

    python app/python/predict.py photo.jpg                 a line a file
    python app/python/predict.py --json photo.jpg ...      a JSON list
    python app/python/predict.py --json --files-from LIST  paths read from LIST, one a line

A file is a picture; where the model takes rows of a table, a .json with one row as an object; where it takes texts, a
.txt in UTF-8. Everything about the model (labels, size, how a picture is resized, what columns there are) is read from
manifest.json; nothing is written here twice. `Classifier` is the same from Python:
``Classifier(bundle_folder).predict("photo.jpg")``.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import io
import itertools
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# A picture above this is refused before it is decoded: 400 million pixels fit in a file of 400 kB.
MAX_PIXELS = 178_956_970
_EXIF_ORIENTATION = 0x0112
_TURNS: dict[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_KINDS = {"I": "integers", "F": "floats"}
_LOADED = itertools.count()
_NUMPY_PADS = {"zeros": "constant", "border": "edge", "reflection": "reflect"}


def decode(
    source: str | Path | bytes, *, channels: int, exif: bool, ranges: dict[str, list[float] | None] | None = None
) -> Image.Image:
    """A file's path or bytes to an RGB (3 channels) or gray (1) picture of 8 bits.

    `exif` turns it as its EXIF orientation says. `ranges` maps "integers" (more than 8 bits) and "floats" to the two
    values that become 0 and 255; without, Pillow clips such pixels to 0..255. Raises OSError, ValueError or SyntaxError
    where it is no picture.
    """
    try:
        return _decode(source, channels=channels, exif=exif, ranges=ranges or {})
    except (OSError, ValueError, SyntaxError):  # what Pillow raises on purpose
        raise
    except Exception as error:  # a bomb, and whatever else its decoders meet in a broken file
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _decode(
    source: str | Path | bytes, *, channels: int, exif: bool, ranges: dict[str, list[float] | None]
) -> Image.Image:
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"the picture has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
        if image.format == "EPS":
            raise ValueError("EPS is a program, which a picture from a stranger must not start")
        image.load()
        seen = _upright(image) if exif else image
        if span := ranges.get(_KINDS.get(seen.mode.partition(";")[0], "")):
            seen = _to_eight_bits(seen, span)
        return seen.convert("RGB" if channels == 3 else "L")  # noqa: PLR2004 - red, green, blue


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the pixels
        return image
    return image if turn is None else image.transpose(turn)


def _to_eight_bits(image: Image.Image, span: list[float]) -> Image.Image:
    low, high = span
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=low, posinf=high, neginf=low)
    return Image.fromarray(np.clip(np.rint((values - low) * (255 / (high - low))), 0, 255).astype(np.uint8))


def preprocess(source: str | Path | bytes, host: dict[str, Any], *, channels: int) -> np.ndarray:
    """A file to the uint8 array [1, height, width, channels] that the model takes. `host` is the manifest's own."""
    image = decode(source, channels=channels, exif=host["exif"], ranges=host.get("ranges"))
    for step in host["steps"]:
        image = _STEPS[step["op"]](image, step)
    return np.asarray(image, dtype=np.uint8).reshape(1, image.height, image.width, channels)


def _crop_resize(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    wide, high = image.width / step["width"], image.height / step["height"]
    return _fit(image, step, min(wide, high))


def _pad_resize(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    wide, high = image.width / step["width"], image.height / step["height"]
    return _fit(image, step, max(wide, high))


def _fit(image: Image.Image, step: dict[str, Any], scale: float) -> Image.Image:
    # The region keeps the wanted shape; int() cuts towards zero, also for the negative corner of a padded region.
    width, height = int(scale * step["width"]), int(scale * step["height"])
    corner = int(0.5 * (image.width - width)), int(0.5 * (image.height - height))
    return _resize(_region(image, corner, (width, height), step["pad"]), step)


def _squish_resize(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    return _resize(image, step)


def _center_crop(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    width, height = step["width"], step["height"]
    corner = (image.width - width) // 2, (image.height - height) // 2
    return _region(image, corner, (width, height), step["pad"])


def _exact_size(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    if image.size != (step["width"], step["height"]):
        raise ValueError(
            f"the picture is {image.width} x {image.height}; this model was trained without a resize and takes only "
            f"{step['width']} x {step['height']}"
        )
    return image


def _resize(image: Image.Image, step: dict[str, Any]) -> Image.Image:
    return image.resize((step["width"], step["height"]), Image.Resampling[step["resample"].upper()])


def _region(image: Image.Image, corner: tuple[int, int], size: tuple[int, int], pad: str) -> Image.Image:
    """The rectangle of that corner (left, top) and size (width, height); what lies outside the picture is padded."""
    (left, top), (width, height) = corner, size
    right, bottom = left + width - image.width, top + height - image.height
    image = image.crop((max(left, 0), max(top, 0), min(left + width, image.width), min(top + height, image.height)))
    sides = [(max(-top, 0), max(bottom, 0)), (max(-left, 0), max(right, 0))]
    if any(map(any, sides)):
        pixels = np.asarray(image)
        image = Image.fromarray(np.pad(pixels, sides + [(0, 0)] * (pixels.ndim - 2), mode=_NUMPY_PADS[pad]))  # type: ignore[call-overload]
    return image


_READERS = {"table_classification": "rows.py", "text_classification": "words.py"}


def reader(signature: dict[str, Any]) -> Callable[[str | Path | bytes], np.ndarray]:
    """What makes the model's input of a file (a path, or its bytes), as the manifest's `signature` says.

    A picture becomes uint8 [1, height, width, channels], a row float32 [1, columns], a text int32 [1, length]. It
    raises OSError, ValueError or SyntaxError for a file that is none.
    """
    if (name := _READERS.get(signature.get("task", ""))) is not None:
        beside = load_module(Path(__file__).with_name(name))
        return beside.Reader(signature["host"])  # type: ignore[no-any-return]
    return functools.partial(preprocess, host=signature["host"], channels=signature["input"]["channels"])


_STEPS: dict[str, Callable[[Image.Image, dict[str, Any]], Image.Image]] = {
    "crop_resize": _crop_resize,
    "squish_resize": _squish_resize,
    "pad_resize": _pad_resize,
    "center_crop": _center_crop,
    "exact_size": _exact_size,
}


class Classifier:
    """The model of one bundle, loaded once.

    `threads` is the number of CPU threads of the runtime, 0 for all (PyTorch: what its process has). `load` may replace
    the bundle's own runtime.py: it takes (model path, threads) and gives a function from the model's input to float32
    [classes].
    """

    def __init__(
        self,
        bundle: str | Path,
        *,
        threads: int = 0,
        load: Callable[[str, int], Callable[[np.ndarray], np.ndarray]] | None = None,
    ) -> None:
        self.bundle = Path(bundle)
        manifest = json.loads((self.bundle / "manifest.json").read_text(encoding="utf-8"))
        signature = manifest["signature"]
        self.labels: list[str] = signature["labels"]
        self._read = reader(signature)
        self._run = (load or _bundled_runtime())(str(self.bundle / manifest["model"]), threads)

    def prepare(self, source: str | Path | bytes) -> np.ndarray:
        """A file (a path, or its bytes) as the model takes it; see `reader`."""
        return self._read(source)

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        """float32 [classes] for what `prepare` gave."""
        return np.asarray(self._run(prepared), dtype=np.float32).reshape(-1)

    def predict(self, source: str | Path | bytes) -> dict[str, Any]:
        """{"label", "probabilities": {label: p}, "inference_ms"} of one file (a path, or its bytes)."""
        return self.answer(self.prepare(source))

    def answer(self, prepared: np.ndarray) -> dict[str, Any]:
        """What `predict` gives, for what `prepare` gave."""
        start = time.perf_counter()
        values = self.probabilities(prepared)
        took = (time.perf_counter() - start) * 1000
        return {
            "label": self.labels[int(values.argmax())],
            "probabilities": {label: float(value) for label, value in zip(self.labels, values, strict=True)},
            "inference_ms": round(took, 3),
        }


def _bundled_runtime() -> Callable[[str, int], Callable[[np.ndarray], np.ndarray]]:
    """`load` of the runtime.py beside this file."""
    return load_module(Path(__file__).with_name("runtime.py")).load  # type: ignore[no-any-return]


def load_module(path: Path) -> ModuleType:
    """The Python file at `path`, freshly loaded. It can import the files beside it: ``from . import other``."""
    folder = f"_beside_{path.stem}_{next(_LOADED)}"
    package = ModuleType(folder)
    package.__path__ = [str(path.parent)]
    sys.modules[folder] = package
    return importlib.import_module(f"{folder}.{path.stem}")


def predict_all(classifier: Classifier, files: Iterable[str]) -> list[dict[str, Any]]:
    """One entry a file; a file that cannot be read gets an "error" in place of an answer and stops nothing."""
    rows = []
    for file in files:
        try:
            rows.append({"file": file, **classifier.predict(file)})
        except (OSError, ValueError, SyntaxError) as error:  # what a reader raises for a file that it cannot read
            rows.append({"file": file, "error": f"{type(error).__name__}: {error}"})
    return rows


def main(argv: list[str] | None = None) -> int:
    """The command line. Returns 1 when a file could not be read."""
    sys.dont_write_bytecode = True  # a bundle stays as it was made
    parser = argparse.ArgumentParser(description="Classify files with this bundle's model.")
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--files-from", metavar="LIST", help="a text file of paths, one a line")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for all (default)")
    parser.add_argument("--bundle", default=str(Path(__file__).resolve().parents[2]), help="the bundle's folder")
    options = parser.parse_args(argv)
    files = list(options.files)
    if options.files_from:
        # Not splitlines(): a name may hold other characters that end a line, and bytes that are not UTF-8.
        names = Path(options.files_from).read_bytes().decode("utf-8", "surrogateescape").split("\n")
        files += [name.removesuffix("\r") for name in names if name]
    if not files:
        parser.error("name at least one file")
    try:
        classifier = Classifier(options.bundle, threads=options.threads)
    except ModuleNotFoundError as error:
        parser.exit(1, f"{error}. Type: pip install -r {Path(__file__).with_name('requirements.txt')}\n")
    except Exception as error:  # noqa: BLE001 - every runtime has errors of its own for a file that it cannot read
        parser.exit(1, f"The model cannot be loaded ({type(error).__name__}: {error}).\n")
    rows = predict_all(classifier, files)
    if options.json:
        json.dump(rows, sys.stdout, ensure_ascii=True)
        sys.stdout.write("\n")
    else:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that has no such letters
        for row in rows:
            best = row.get("error") or f"{row['label']}  {row['probabilities'][row['label']]:.1%}"
            sys.stdout.write(f"{row['file']}: {best}\n")
    return int(any("error" in row for row in rows))


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 1
    raise SystemExit(status)
