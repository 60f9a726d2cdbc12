"""Training opens every picture with the mends, and names the one that it cannot open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.finding import Edit
from nbdeploy.core.progress import quiet
from nbdeploy.core.signature import Ranges
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.records import ImageFile
from nbdeploy.errors import NbdeployWarning, TrainError
from nbdeploy.training import images as module
from nbdeploy.training.images import train

MICRO = "test_resnet.r160_in1k"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12 pictures, 32 x 24."""
    draw = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 190)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(12):
            pixels = draw.normal(level, 20, (24, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{number:02d}.png")
    return tmp_path / "data"


def _train(images: ImageSet, **options: Any) -> Any:
    settings = {"arch": MICRO, "epochs": 1, "pretrained": False, "batch_size": 8, "augment": False, "size": 32}
    with quiet():
        return train(images, **{**settings, **options})


def _seen(learn: Any, path: Path) -> np.ndarray:
    """What the training's own data holds of a file, before it is resized."""
    for dataset in (learn.dls.train_ds, learn.dls.valid_ds):
        at = list(dataset.items["path"])
        if str(path) in at:
            return np.asarray(dataset[at.index(str(path))][0])
    raise AssertionError(path)


def test_turns_files_as_decided_and_as_their_exif_says(folder: Path) -> None:
    plain, both = folder / "dark" / "00.png", folder / "dark" / "01.jpg"
    lying = Image.fromarray(np.arange(32 * 24, dtype=np.uint8).reshape(24, 32)).convert("RGB")
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(both, exif=exif)
    lying.save(folder / "dark" / "02.jpg", exif=exif)
    turns = [Edit(plain, "rotate", "90"), Edit(both, "rotate", "exif"), Edit(both, "rotate", "180")]
    # Two of the same bytes: what is decided about one holds for the other, so a third shows what EXIF alone does.
    lying.point(lambda value: value // 2).save(folder / "dark" / "03.jpg", exif=exif)
    with pytest.warns(NbdeployWarning, match="turned only by EXIF: nd.train turns them so"):
        images = ImageSet.from_folder(folder)
    learn = _train(images.apply(turns))
    stored = {name: np.asarray(Image.open(folder / "dark" / name).convert("RGB")) for name in ("00.png", "01.jpg")}
    assert np.array_equal(np.rot90(stored["00.png"], -1), _seen(learn, plain))
    assert np.array_equal(np.rot90(stored["01.jpg"], -3), _seen(learn, both))
    assert np.array_equal(np.rot90(stored["01.jpg"], -3), _seen(learn, folder / "dark" / "02.jpg"))
    alone = np.asarray(Image.open(folder / "dark" / "03.jpg").convert("RGB"))
    assert np.array_equal(np.rot90(alone, -1), _seen(learn, folder / "dark" / "03.jpg"))


def test_trains_on_what_is_left_with_the_labels_that_were_decided(folder: Path) -> None:
    images = ImageSet.from_folder(folder)
    moved = next(file.path for file in images.train if file.label == "dark")
    gone = next(file.path for file in images.train if file.label == "light")
    learn = _train(images.apply([Edit(moved, "relabel", "light"), Edit(gone, "exclude")]))
    table = learn.dls.train_ds.items.set_index("path")["label"]
    assert "light" == table[str(moved)]
    assert str(gone) not in table


def _deep(*spans: tuple[float, float], note: str = "sixteen_bit") -> list[ImageFile]:
    return [ImageFile(Path("a"), "a", "train", "", "", "", (8, 8), notes=(note,), span=span) for span in spans]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], (0, 65535)),
        ([(3, 60000)], (0, 65535)),
        ([(3, 700), (900, 4095)], (0, 4095)),
        ([(0, 1000)], (0, 1023)),
        ([(0, 255)], (0, 255)),
        ([(0, 100_000)], (0, 100_000)),
        ([(-1000, 3000), (0, 10)], (-1000, 3000)),
    ],
)
def test_the_largest_value_of_all_pictures_says_how_many_bits_hold_something(spans: Any, expected: Any) -> None:
    from nbdeploy.training.opening import ranges_of

    assert expected == ranges_of(_deep(*spans)).integers


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], (0, 1)),
        ([(0.1, 0.9)], (0, 1)),
        ([(0, 200.5)], (0, 255)),
        ([(-1, 1)], (-1, 1)),
        ([(-7, 7)], (-7, 7)),
        ([(-5, -5)], (-5, -4)),
        ([(0, 1e6)], (0, 1e6)),
    ],
)
def test_floats_are_taken_for_shares_bytes_or_what_they_span(spans: Any, expected: Any) -> None:
    from nbdeploy.training.opening import ranges_of

    assert expected == ranges_of(_deep(*spans, note="float_pixels")).floats


def test_an_image_set_notes_what_deep_pictures_span_and_training_scales_them(folder: Path) -> None:
    values = np.linspace(10, 4000, 768).reshape(24, 32)
    Image.fromarray(values.astype(np.uint16)).save(folder / "dark" / "00.png")
    floats = (values / 4000).astype(np.float32)
    floats[0, 0] = np.nan
    Image.fromarray(floats).save(folder / "dark" / "01.tif")
    with pytest.warns(NbdeployWarning, match="nd.train scales them to 0..255"):
        images = ImageSet.from_folder(folder)
    spans = {file.path.name: file.span for file in images if file.label == "dark"}
    assert (10, 4000) == spans["00.png"]
    assert pytest.approx((0.0038, 1), abs=1e-4) == spans["01.tif"]
    assert spans["02.png"] is None
    learn = _train(images)
    (opener,) = (tfm for tfm in learn.dls.valid_ds.tls[0].tfms.fs if hasattr(tfm, "ranges"))
    assert Ranges(integers=(0, 4095), floats=(0, 1)) == opener.ranges
    seen = _seen(learn, folder / "dark" / "00.png")[..., 0]
    assert (1, 249) == (seen.min(), seen.max())
    assert 0 == _seen(learn, folder / "dark" / "01.tif")[0, 0, 0]


def test_the_learner_takes_what_any_of_fastai_takes(folder: Path) -> None:
    from fastai.vision.core import PILImage

    learn = _train(ImageSet.from_folder(folder))
    path = folder / "dark" / "00.png"
    pixels = np.asarray(Image.open(path))
    answers = [
        learn.predict(x)[2].tolist() for x in (path, str(path), path.read_bytes(), pixels, PILImage.create(path))
    ]
    assert [answers[0]] * 5 == answers


Damage = Callable[[Path], object]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


DAMAGES: dict[str, tuple[Damage, str]] = {
    "cut": (_cut, "cut short"),
    "gone": (Path.unlink, "no such file"),
    "text": (lambda path: path.write_text("hello"), "text, not a picture"),
    "empty": (lambda path: path.write_bytes(b""), r"empty file \(0 bytes\)"),
}


@pytest.mark.parametrize("side", ["train", "valid"])
@pytest.mark.parametrize(("damage", "workers"), [*((damage, 0) for damage in DAMAGES), ("cut", 1), ("text", 1)])
def test_names_the_picture_that_went_bad_after_the_set_was_made(
    folder: Path, damage: str, workers: int, side: str
) -> None:
    images = ImageSet.from_folder(folder)
    bad = getattr(images, side)[2].path
    spoil, why = DAMAGES[damage]
    spoil(bad)
    with pytest.raises(TrainError, match=rf"{bad} cannot be read as a picture \({why}") as caught:
        _train(images, workers=workers, batch_size=16)
    assert isinstance(caught.value.__cause__, OSError)
    assert f"Type: %clean {folder} (in a terminal: nbdeploy audit {folder})" in caught.value.hint
    assert caught.value.learn is None  # no epoch was finished
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("workers", [0, 1])
def test_names_the_picture_whose_shape_cannot_be_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    resize = Image.Image.resize

    def older(self: Image.Image, *args: Any, **keywords: Any) -> Image.Image:
        if 0 in self.size:  # as before Pillow 12, which makes pixels of nothing
            raise ValueError("height and width must be > 0")
        return resize(self, *args, **keywords)

    monkeypatch.setattr(Image.Image, "resize", older)
    images = ImageSet.from_folder(folder)
    bad = images.train[3].path
    Image.new("RGB", (1, 3000)).save(bad)  # of which a square of 0.9999 pixels is cut
    with pytest.raises(TrainError, match=rf"{bad} cannot be read as a picture \(ValueError: height and width"):
        _train(images, size=49, batch_size=16, workers=workers)


def test_what_was_learned_before_a_picture_went_bad_is_kept(folder: Path) -> None:
    from fastai.callback.core import Callback

    images = ImageSet.from_folder(folder)

    class Spoil(Callback):  # type: ignore[misc]
        def after_epoch(self) -> None:
            if self.epoch == 1:
                _cut(images.train[0].path)

    with pytest.raises(TrainError, match="cut short") as caught:
        _train(images, epochs=4, cbs=[Spoil()])
    assert "sys.last_value.learn" in caught.value.hint
    kept = caught.value.learn
    assert {"TrainEvalCallback", "Recorder", "CastToTensor", "ProgressCallback"} == {
        type(callback).__name__ for callback in kept.cbs
    }
    assert kept.predict(images.valid[0].path)[0] in images.labels
    with pytest.raises(OSError, match=f'{images.train[0].path}" cannot be read as a picture'):  # also without nd.train
        kept.fit(1)


def test_an_error_that_is_not_of_pictures_stays_what_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastai.callback.core import Callback

    class Fail(Callback):  # type: ignore[misc]
        def after_batch(self) -> None:
            raise ValueError("mine")

    monkeypatch.setattr(module, "_looked_for", lambda *_: pytest.fail("no file is looked for"))
    with pytest.raises(ValueError, match="mine"):
        _train(ImageSet.from_folder(folder), cbs=[Fail()])
