"""What a Learner does to turned, 16-bit and float files is what the app does to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy.core.finding import Edit
from nbdeploy.core.progress import quiet
from nbdeploy.core.signature import Ranges, Signature
from nbdeploy.errors import BundleError, DataError, ExportError, NbdeployWarning
from nbdeploy.templates.python.predict import decode
from tests.models import learner, loaders, patch_model

MICRO = "test_resnet.r160_in1k"
SIDEWAYS = 6  # EXIF: to be turned a quarter clockwise


def ramp(label: str, dice: np.random.Generator) -> np.ndarray:
    """Values 0..1, 36 x 28, that fall from top to bottom ("down") or from left to right ("across")."""
    y, x = np.mgrid[0:28, 0:36]
    fall = y / 27 if label == "down" else x / 35
    return np.clip(0.9 - 0.8 * fall + dice.normal(0, 0.04, fall.shape), 0, 1)


def write(path: Path, values: np.ndarray, kind: str) -> Path:
    """The ramp as a photo lying on its side, as 16 bits that are nearly all above 255, or as floats."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "photo":
        lying = Image.fromarray((np.rot90(values) * 255).astype(np.uint8)).convert("RGB")
        exif = lying.getexif()
        exif[0x0112] = SIDEWAYS
        lying.save(path.with_suffix(".jpg"), quality=95, exif=exif)
        return path.with_suffix(".jpg")
    if kind == "sixteen":
        Image.fromarray((values * 4095).astype(np.uint16)).save(path.with_suffix(".png"))
        return path.with_suffix(".png")
    Image.fromarray(values.astype(np.float32)).save(path.with_suffix(".tif"))
    return path.with_suffix(".tif")


KINDS = ("photo", "sixteen", "float")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mends")
    dice = np.random.default_rng(1)
    for label in ("down", "across"):
        for number in range(36):
            write(root / label / f"{number:02d}", ramp(label, dice), KINDS[number % 3])
    return root


@pytest.fixture(scope="module")
def images(folder: Path) -> nd.ImageSet:
    with quiet(), pytest.warns(NbdeployWarning):
        return nd.ImageSet.from_folder(folder)


@pytest.fixture(scope="module")
def learn(images: nd.ImageSet) -> Any:
    """Trained on pictures that only the mends tell apart."""
    with quiet():
        return nd.train(images, arch=MICRO, epochs=10, pretrained=False, batch_size=8, augment=False, size=32)


def test_a_bundle_is_right_on_raw_files_that_only_the_mends_tell_apart(learn: Any, tmp_path: Path) -> None:
    with quiet():
        bundle = nd.deploy(learn, target="onnx", out=tmp_path / "bundle", latency_runs=0)
    assert bundle.report.ok
    assert 1.0 == bundle.report.metrics["top1_agreement"]
    assert bundle.report.metrics["accuracy_deployed"] >= 0.9
    assert bundle.report.metrics["max_abs_diff"] < 1e-3
    assert bundle.signature.exif
    assert Ranges(integers=(0, 4095), floats=(0, 1)) == bundle.signature.ranges
    dice = np.random.default_rng(2)
    for label in ("down", "across"):
        for kind in KINDS:
            raw = write(tmp_path / f"{label}-{kind}", ramp(label, dice), kind)
            assert label == bundle.predict(raw).label == bundle.predict(raw.read_bytes()).label


def test_a_plain_fastai_learner_on_the_same_files_keeps_its_own_way_of_opening_them(folder: Path) -> None:
    program = nd.export(learner(loaders(folder), patch_model(2), epochs=1))  # its held-out files are compared there
    assert not program.signature.exif
    assert Ranges() == program.signature.ranges


def test_opening_code_of_ones_own_that_scales_is_found_out(folder: Path) -> None:
    program = nd.export(learner(_own(folder, lambda values: np.rint(values / 257)), patch_model(2)))
    assert Ranges(integers=(0, 65535), floats=(0, 65535)) == program.signature.ranges


def test_opening_code_that_no_app_can_repeat_on_16_bits_is_said_and_not_refused(folder: Path) -> None:
    photos = nd.ImageSet(
        tuple(f for f in _quietly(folder) if f.path.suffix == ".jpg"), source=str(folder)
    )  # no file of 16 bits is compared
    with pytest.warns(NbdeployWarning, match="with 16 bits in a way"), pytest.warns(NbdeployWarning, match="float"):
        program = nd.export(learner(_own(folder, np.sqrt), patch_model(2)), images=photos)
    assert program.signature.ranges.integers is None


def _quietly(folder: Path) -> nd.ImageSet:
    with pytest.warns(NbdeployWarning):
        return nd.ImageSet.from_folder(folder)


def _own(folder: Path, change: Any) -> Any:
    from fastai.vision import all as v

    class Own(v.PILImage):
        @classmethod
        def create(cls, fn: Any, **_: Any) -> Any:
            opened = Image.open(fn)
            if opened.mode in {"I;16", "F"}:
                opened = Image.fromarray(np.clip(change(np.abs(np.asarray(opened))), 0, 255).astype(np.uint8))
            return cls(opened.convert("RGB"))

    block = v.DataBlock(
        blocks=(v.ImageBlock(cls=Own), v.CategoryBlock),
        get_items=lambda root: sorted(root.rglob("*.[jp][pn]g")),
        get_y=v.parent_label,
        splitter=v.RandomSplitter(0.4, seed=1),
        item_tfms=v.Resize(32),
    )
    return block.dataloaders(folder, bs=8, num_workers=0)


def _some_turned(images: nd.ImageSet, held_out: int) -> nd.ImageSet:
    paths = [file.path for file in (*images.valid[:held_out], *images.train[:3])]
    return images.apply([Edit(path, "rotate", "90") for path in paths])


def test_files_that_a_decision_turns_are_not_taken_for_raw_ones(images: nd.ImageSet) -> None:
    edited = _some_turned(images, 3)
    with quiet():
        turned = nd.train(edited, arch=MICRO, epochs=1, pretrained=False, augment=False, size=32)
        programs = nd.export(turned), nd.export(turned, images=edited)
    for program in programs:
        used = {file.path for file in (*program.reference.held_out, *program.reference.calibration)}
        assert len(images) - 6 == len(used)
        assert set() == used & {str(file.path) for file in edited if file.turn}


def test_a_set_whose_held_out_files_are_all_turned_says_what_to_do(images: nd.ImageSet) -> None:
    edited = _some_turned(images, len(images.valid))
    with quiet():
        turned = nd.train(edited, arch=MICRO, epochs=1, pretrained=False, augment=False, size=32)
        with pytest.raises(ExportError, match="Every held-out picture is turned by a decision") as caught:
            nd.export(turned)
    assert 'images.export("cleaned")' in caught.value.hint


def test_a_learner_that_was_saved_and_loaded_opens_files_as_before(
    learn: Any, images: nd.ImageSet, tmp_path: Path
) -> None:
    from fastai.learner import load_learner

    learn.export(tmp_path / "export.pkl")
    with quiet(), pytest.warns(UserWarning, match="pickle"):
        loaded = load_learner(tmp_path / "export.pkl")
    program = nd.export(loaded, images=images)
    assert program.signature.exif
    assert Ranges(integers=(0, 4095), floats=(0, 1)) == program.signature.ranges


@pytest.mark.parametrize("damage", ["cut", "gone", "text"])
def test_a_held_out_file_that_went_bad_is_named(tmp_path: Path, damage: str, pictures: Path) -> None:
    import shutil

    root = tmp_path / "data"
    shutil.copytree(pictures, root)
    learn = learner(loaders(root))
    bad = Path(learn.dls.valid_ds.items[2])
    if damage == "gone":
        bad.unlink()
        with pytest.warns(NbdeployWarning, match=rf"1 file of the Learner's data gone: .*{bad.name}"):
            program = nd.export(learn)
        assert str(bad) not in {file.path for file in program.reference.held_out}
        return
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2] if damage == "cut" else b"hello")
    with pytest.raises(DataError, match=rf"A picture of the data cannot be read: .*{bad.name}") as caught:
        nd.export(learn)
    assert f"%clean {root}" in caught.value.hint


def test_a_training_file_that_cannot_be_calibrated_on_is_named(conv_learner: Any, tmp_path: Path) -> None:
    import dataclasses

    from nbdeploy.core.reference import as_data_file

    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    program = nd.export(conv_learner)
    reference = dataclasses.replace(program.reference, calibration=(as_data_file(tmp_path / "bad.png"),))
    with pytest.raises(DataError, match=r"bad\.png cannot be read as a picture") as caught:
        nd.deploy(
            dataclasses.replace(program, reference=reference),
            target="onnx",
            recipe="static_int8",
            out=tmp_path / "bundle",
        )
    assert f"%clean {tmp_path}" in caught.value.hint


def test_signatures_without_ranges_are_read_and_impossible_ones_refused() -> None:
    from nbdeploy.core.signature import Step

    steps = (Step(op="crop_resize", width=8, height=8),)
    ranges = Ranges(integers=(0, 4095), floats=(-1.0, 1.0))
    signature = Signature(width=8, height=8, channels=3, labels=("a", "b"), steps=steps, exif=True, ranges=ranges)
    raw = signature.to_dict()
    assert {"integers": [0, 4095], "floats": [-1.0, 1.0]} == raw["host"]["ranges"]
    assert signature == Signature.from_dict(raw)
    del raw["host"]["ranges"]
    assert Ranges() == Signature.from_dict(raw).ranges
    for span in ([5, 5], [0], [0, float("nan")], "x", [0, "y"]):
        raw["host"]["ranges"] = {"integers": span}
        with pytest.raises(BundleError, match=r"range|cannot be read"):
            Signature.from_dict(raw)


def test_more_than_8_bits_are_scaled_by_the_range_and_clipped_without_one(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 255, 257, 4095, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")

    def opened(name: str, **ranges: Any) -> list[int]:
        return np.asarray(decode(tmp_path / name, channels=1, exif=False, ranges=ranges))[0].tolist()

    assert [0, 128, 129, 255, 255, 255, 255] == opened("a.png")
    assert [0, 0, 1, 1, 1, 16, 255] == opened("a.png", integers=[0, 65535])
    assert [0, 8, 8, 16, 16, 255, 255] == opened("a.png", integers=[0, 4095])
    floats = np.array([[np.nan, -np.inf, -1, 0, 0.5, 1, np.inf]], np.float32)
    Image.fromarray(floats).save(tmp_path / "b.tif")
    assert [0, 0, 0, 0, 128, 255, 255] == opened("b.tif", floats=[0, 1])
    assert [0, 0, 0, 128, 191, 255, 255] == opened("b.tif", floats=[-1, 1])


def test_a_broken_exif_block_says_nothing_about_the_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (9, 9, 9)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\3")
    assert (20, 10) == decode(tmp_path / "a.jpg", channels=3, exif=True).size
