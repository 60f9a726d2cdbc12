"""Which files are held out, and what the Learner's own pipeline answers on them."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbdeploy.core import working
from nbdeploy.core.progress import track
from nbdeploy.core.reference import DataFile, as_data_file, spread
from nbdeploy.data.listing import EXTENSIONS
from nbdeploy.data.records import clean_hint, count, names, shown
from nbdeploy.data.scan import read_picture
from nbdeploy.errors import DataError, ExportError, NbdeployWarning
from nbdeploy.exporting.opening import opened_by, turned_by
from nbdeploy.training.seeds import seeded

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet


Pairs = list[tuple[Path, str | None]]
LOADING = (OSError, SyntaxError, ValueError, EOFError)
"""What Pillow raises for pictures that it cannot read."""
_LYING = range(5, 9)
"""EXIF orientations that exchange width and height (EXIF 2.3, table 4)."""


@dataclass(frozen=True, slots=True)
class Files:
    """Raw files to verify on, and training files to calibrate on."""

    held_out: tuple[DataFile, ...]
    calibration: tuple[DataFile, ...]


def held_out_and_calibration(
    dls: Any, labels: Sequence[str], images: ImageSet | None, *, most: int, calibration: int, seed: int
) -> Files:
    """The files of `images`, or else of the Learner's own data; `most` and `calibration` bound them, by `seed`.

    Files that the Learner sees turned by a decision are left out: an app sees them as they lie.
    """
    if images is not None:
        valid: Pairs = [(file.path, file.label) for file in images.valid]
        train: Pairs = [(file.path, file.label) for file in images.train]
        unknown = sorted({file.label for file in (*images.valid, *images.train)} - set(labels))
        if unknown:
            raise DataError(
                f"The pictures have labels that the model does not know: {', '.join(unknown[:5])}.",
                hint=f"The model knows {', '.join(labels[:10])}.",
            )
    else:
        valid, train = _raw_files(dls.valid_ds, labels), _raw_files(dls.train_ds, labels)
    if not valid:
        raise ExportError(
            "The Learner has no held-out picture files, so nothing could be verified.",
            hint="Pass the data too: images=nd.ImageSet.from_folder('...') (--data FOLDER).",
        )
    turned = turned_by(dls)
    valid, train = ([pair for pair in side if str(pair[0]) not in turned] for side in (valid, train))
    if not valid:
        raise ExportError(
            "Every held-out picture is turned by a decision, so there is no raw file to verify on.",
            hint='Write the turned copies, images.export("cleaned"), and train on that folder.',
        )
    return Files(_data_files(_pick(valid, most, seed)), _data_files(_pick(train, calibration, seed)))


def _data_files(pairs: Pairs) -> tuple[DataFile, ...]:
    try:
        return tuple(as_data_file(*pair) for pair in pairs)
    except OSError as error:
        raise _bad_files([str(path) for path, _ in pairs], error) from error


def _raw_files(dataset: Any, labels: Sequence[str]) -> Pairs:
    """The file and the label of each item of a fastai dataset; items that are no files are passed over.

    Files that are gone are named in a NbdeployWarning.
    """
    from nbdeploy.training.opening import NoLabel  # noqa: PLC0415 - fastai is slow to import

    tls = getattr(dataset, "tls", None)
    if not tls:
        return []
    found: Pairs = []
    gone: list[Path] = []
    known = len(tls) > 1 and not any(isinstance(tfm, NoLabel) for tfm in tls[1].tfms.fs)
    items = tls[0].items
    rows = (items.iloc[i] for i in range(len(items))) if hasattr(items, "iloc") else items  # a table iterates columns
    for index, item in enumerate(rows):
        path = _file_of(item, tls[0].tfms.fs)
        if path is None:
            continue
        if not path.is_file():
            gone.append(path)
            continue
        label = labels[int(tls[1][index])] if known else None
        found.append((path, label))
    if gone:
        warnings.warn(
            f"{count(len(gone), 'file')} of the Learner's data gone: {names(map(shown, gone))}.",
            NbdeployWarning,
            stacklevel=4,
        )
    return found


def _file_of(item: Any, transforms: Sequence[Any]) -> Path | None:
    """The path that an item leads to, whether a file is there or not; None where it is no path of a picture."""
    # An item may be a row of a table: its first transforms (ColReader, get_x) lead to the path.
    from PIL.Image import Image  # noqa: PLC0415 - as elsewhere here

    gone: Path | None = None
    for transform in (None, *transforms):
        try:
            item = item if transform is None else transform(item)
        except LOADING:
            break
        if isinstance(item, str | Path):
            if Path(item).is_file():
                return Path(item)
            gone = Path(item) if Path(item).suffix.lower() in EXTENSIONS else gone
        elif isinstance(item, Image):
            return None  # a picture already: the item was no file
    return gone


def _pick(pairs: Pairs, most: int, seed: int) -> Pairs:
    """At most `most` of them, spread over the labels, the same for the same seed."""
    files = [DataFile(str(path), "", label) for path, label in pairs]
    return [pairs[index] for index in spread(files, most, seed)]


def sizes(files: Sequence[DataFile], *, exif: bool) -> set[tuple[int, int]]:
    """Width and height of each file, as a set; `exif`: as they are once turned by it."""
    from PIL import Image  # noqa: PLC0415

    found = set()
    for file in files:
        with Image.open(file.path) as image:
            width, height = image.size
            lying = exif and image.getexif().get(0x0112) in _LYING
            found.add((height, width) if lying else (width, height))
    return found


def answers(
    learn: Any, paths: Sequence[str], *, act: Callable[[torch.Tensor], torch.Tensor], batch_size: int = 64
) -> np.ndarray:
    """float32 ``[len(paths), classes]`` from the Learner's own pipeline, `act` applied to its outputs."""
    batch_size = min(batch_size, int(getattr(learn.dls, "bs", batch_size) or batch_size))
    try:
        opened_by(learn.dls, Path(paths[0]))  # a Learner that takes no files says so here, in words
        items: list[Any] = list(paths) if _takes_text(learn.dls, paths[0]) else [Path(path) for path in paths]
        with seeded(0), learn.no_bar(), learn.no_logging():  # a loader draws, also where nothing is shuffled
            loader = learn.dls.test_dl(items, num_workers=0, bs=batch_size)
            outputs = learn.get_preds(dl=loader, act=act, cbs=_watched(len(paths), batch_size))[0]
    except LOADING as error:
        raise _bad_files(paths, error) from error
    result: np.ndarray = np.asarray(outputs.detach().cpu().float(), dtype=np.float32)
    if not np.isfinite(result).all():
        raise ExportError(
            "The Learner itself answers NaN on a held-out file.", hint="Train again with a lower learning rate."
        )
    return result


def _watched(files: int, batch_size: int) -> list[Any]:
    """A callback that tells who watches how far it is, and heeds an order to stop; none where nobody does."""
    from fastai.callback.core import Callback  # noqa: PLC0415

    found = working.current()
    if found is None:
        return []
    work = found

    class Watched(Callback):  # type: ignore[misc] # fastai has no types
        run_train = False

        def after_batch(self) -> None:
            work.check()
            work.watcher.counted("asking the original", min(files, (self.iter + 1) * batch_size), files, "file")

    return [Watched()]


def _takes_text(dls: Any, path: str) -> bool:
    from fastai.data.core import test_set  # noqa: PLC0415

    try:
        test_set(dls.valid_ds, [Path(path)])
    except (AssertionError, TypeError):
        return True
    return False


def _bad_files(paths: Sequence[str], error: Exception) -> Exception:
    """A DataError that names those of `paths` that cannot be read; `error` itself where all of them can."""
    found = ((path, read_picture(Path(path))) for path in track(paths, "looking for the picture that failed"))
    bad = [f"{shown(path)} ({why})" for path, why in found if isinstance(why, str)]
    if not bad:
        return error
    what = "A picture" if len(bad) == 1 else count(len(bad), "picture")
    folders = {str(Path(path).parent) for path in paths}
    with suppress(ValueError):  # of two drives
        folders = {os.path.commonpath(folders)}
    return DataError(f"{what} of the data cannot be read: {names(bad)}.", hint=clean_hint(min(folders)))


@contextmanager
def plain_precision(learn: Any) -> Iterator[None]:
    """Ask the Learner in float32: no autocast, and a float32 copy of a half-precision model. Undone afterwards."""
    from fastai.callback.fp16 import MixedPrecision  # noqa: PLC0415

    own = learn.model
    was_training = own.training
    recorder = getattr(learn, "recorder", None)
    rows = list(getattr(recorder, "values", ()))
    mixed = [cb for cb in learn.cbs if isinstance(cb, MixedPrecision)]
    with ExitStack() as stack:
        if mixed:
            stack.enter_context(learn.removed_cbs(mixed))
        if any(p.is_floating_point() and p.dtype != torch.float32 for p in own.parameters()):
            learn.model = copy.deepcopy(own).float()
        try:
            yield
        finally:
            learn.model = own
            own.train(was_training)
            if recorder is not None and hasattr(recorder, "values"):
                recorder.values[:] = rows  # asking counts as a validation in fastai's table
