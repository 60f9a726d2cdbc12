"""Faults planted with Pillow and numpy, in digits and in real pictures; each has to be found, and nothing else."""

from __future__ import annotations

import io
import json
import random
import struct
import tarfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

import nbdeploy as nd
from nbdeploy.core.finding import KINDS
from nbdeploy.data import pool
from nbdeploy.data.doubtful import outliers
from nbdeploy.data.facts import facts_of
from nbdeploy.data.twins import Entry, twin_findings
from nbdeploy.errors import DataError, UnknownName, UsageError


def scene(seed: int, side: int = 96) -> Image.Image:
    """A picture with edges and fine texture."""
    numbers = np.random.default_rng(seed)
    rough = Image.fromarray(numbers.integers(40, 180, (7, 7, 3), dtype=np.uint8)).resize((side, side))
    pen = ImageDraw.Draw(rough)
    for _ in range(14):
        x, y, r = numbers.integers(4, side - 4, 3).tolist()
        pen.ellipse((x - r // 6 - 3, y - r // 9 - 3, x + r // 6 + 3, y + r // 9 + 3), outline=(30, 60, 20), width=2)
    fine = numbers.normal(0, 2, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(rough) + fine, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", **{"quality": 90, **options})
    return data.getvalue()


def bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def noisy(image: Image.Image, sigma: float = 20) -> Image.Image:
    pixels = np.asarray(image, np.float32) + np.random.default_rng(0).normal(0, sigma, np.asarray(image).shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def moved(image: Image.Image, steps: int) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    return Image.fromarray(np.mean([np.roll(pixels, k, axis=1) for k in range(steps)], axis=0).astype(np.uint8))


def plant(root: Path) -> dict[str, str]:
    """Write 60 clean pictures in two classes, and one file of each fault; gives name -> kind."""
    for number in range(60):
        folder = root / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"clean{number}.jpg").write_bytes(jpeg(scene(number)))
    exif = Image.Exif()
    exif[0x0112] = 6
    new = iter(range(100, 200))
    sixteen = np.asarray(scene(next(new)).convert("L"), np.uint16) * 200
    blank = Image.new("RGB", (96, 96), (120, 130, 90))
    frames = [scene(next(new)) for _ in range(2)]
    pictures: dict[str, tuple[str, Image.Image, dict]] = {
        "alpha.png": ("alpha", scene(next(new)).convert("RGBA"), {}),
        "palette.png": ("palette", scene(next(new)).quantize(64), {}),
        "cmyk.jpg": ("cmyk", scene(next(new)).convert("CMYK"), {}),
        "sixteen.png": ("sixteen_bit", Image.fromarray(sixteen), {}),
        "float.tif": ("float_pixels", Image.fromarray(sixteen.astype(np.float32)), {}),
        "animated.gif": ("animated", frames[0], {"save_all": True, "append_images": frames[1:]}),
        "turned.jpg": ("exif_rotated", scene(next(new)), {"exif": exif}),
        "large.jpg": ("odd_size", scene(next(new)).resize((600, 600)), {}),
        "long.jpg": ("odd_aspect", scene(next(new)).resize((300, 60)), {}),
        "blank.jpg": ("blank", blank, {}),
        "dark.jpg": ("dark", ImageEnhance.Brightness(scene(next(new))).enhance(0.2), {}),
        "burnt.jpg": ("overexposed", ImageEnhance.Brightness(scene(next(new))).enhance(3), {}),
        "soft.jpg": ("blurred", scene(next(new)).filter(ImageFilter.GaussianBlur(3)), {}),
        "shaken.jpg": ("blurred", moved(scene(next(new)), 15), {}),
        "grainy.jpg": ("noisy", noisy(scene(next(new))), {}),
        "smaller.jpg": ("near_duplicate", scene(2).resize((48, 48)), {}),
        "mirrored.jpg": ("near_duplicate", scene(4).transpose(Image.Transpose.FLIP_LEFT_RIGHT), {}),
    }
    for name, (_, image, options) in pictures.items():
        image.save(root / "a" / name, **options)
    whole = jpeg(scene(next(new)))
    contents = {
        "empty.jpg": ("empty_file", b""),
        "cut.jpg": ("truncated", whole[: len(whole) // 2]),
        "text.jpg": ("not_an_image", b"no picture\n" * 9),
        "page.png": ("not_an_image", b"<!DOCTYPE html><html></html>"),
        "phone.heic": ("unreadable", b"\0\0\0\x18ftypheic" + b"\0" * 99),
        "bomb.png": ("image_bomb", bomb()),
        "really-jpeg.png": ("wrong_extension", jpeg(scene(next(new)))),
        "zcopy.jpg": ("exact_duplicate", (root / "a" / "clean0.jpg").read_bytes()),
        "other-class.jpg": ("cross_class_duplicate", (root / "b" / "clean1.jpg").read_bytes()),
    }
    for name, (_, data) in contents.items():
        (root / "a" / name).write_bytes(data)
    (root / "rare").mkdir()
    (root / "rare" / "one.jpg").write_bytes(jpeg(scene(next(new))))
    return {name: kind for name, (kind, *_) in {**pictures, **contents}.items()} | {"rare": "class_imbalance"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    return root, plant(root)


@pytest.fixture(scope="module")
def findings(planted):
    return nd.audit(planted[0])


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return nd.dataset("digits", tmp_path_factory.mktemp("digits") / "out")


@pytest.fixture(scope="module")
def signs(root, tmp_path_factory):
    archive = root.parent / "shared" / "data" / "sign-digits" / "Dataset.tar.gz"
    if not archive.is_file():
        pytest.skip(f"the pictures of sign-digits are not at {archive}")
    out = tmp_path_factory.mktemp("signs")
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    return sorted(out.glob("*/*/*.JPG"))


def test_finds_every_planted_fault_and_suspects_no_clean_file(planted, findings):
    root, faults = planted
    found = {(row.path.name, row.kind) for row in findings}
    assert set(faults.items()) <= found
    copied = {"exact_duplicate", "cross_class_duplicate"}
    assert set() == {name for name, kind in found if name.startswith("clean") and kind not in {*copied, "label_error"}}
    assert {("clean1.jpg", "cross_class_duplicate")} == {
        (name, kind) for name, kind in found if name.startswith("clean") and kind == "cross_class_duplicate"
    }
    assert sum(1 for _ in root.rglob("*.*")) == findings.files


def test_the_most_suspect_stand_first_and_scores_are_shares(findings):
    scores = [row.score for row in findings]
    assert sorted(scores, reverse=True) == scores
    assert 0 <= scores[-1] <= scores[0] <= 1
    assert "empty_file" == findings[0].kind


def test_the_table_can_be_filtered_counted_and_read_by_machines(findings):
    assert {"blurred": findings.counts["blurred"]} == findings.of("blurred").counts
    assert set(findings.counts) <= set(KINDS)
    assert 3 == len(findings.top(3)) == len(findings[:3])
    document = json.loads(json.dumps(findings.to_dict()))
    assert findings.files == document["files"]
    assert {"path", "kind", "score", "evidence", "related", "suggest"} == set(document["findings"][0])
    assert len(findings) == len(findings.to_frame())
    assert findings.headline in str(findings)
    with pytest.raises(UnknownName, match="blured"):
        findings.of("blured")


def test_a_notebook_shows_kinds_with_thumbnails_and_no_text_of_a_file_as_html(tmp_path):
    name = "<b>x&.jpg"
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "good.png").write_bytes(jpeg(scene(1)))
    shown = nd.audit(tmp_path)._repr_html_()
    assert "<b>x" not in shown
    assert "&lt;b&gt;x" in shown
    assert "data:image/webp;base64" in shown
    assert "files of 0 bytes" in shown


def test_a_folder_of_loose_pictures_of_no_class_is_audited_too(tmp_path):
    (tmp_path / "one.jpg").write_bytes(jpeg(scene(1)))
    (tmp_path / "two.jpg").write_bytes(jpeg(scene(1)))
    found = nd.audit(tmp_path)
    assert 2 == found.files
    assert {"exact_duplicate": 1} == found.counts
    with pytest.raises(DataError, match="No pictures"):
        nd.audit(tmp_path.joinpath("empty") if (tmp_path / "empty").mkdir() is None else tmp_path)


def test_copies_over_a_given_split_are_leaks(tmp_path):
    for side, seeds in (("train", range(8)), ("valid", range(8, 12))):
        for number in seeds:
            place = tmp_path / side / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.jpg").write_bytes(jpeg(scene(number)))
    leak = tmp_path / "valid" / "a" / "again.jpg"
    leak.write_bytes(jpeg(scene(0), quality=60))
    found = nd.audit(tmp_path).of("split_leak")
    assert [leak] == [row.path for row in found]
    assert (tmp_path / "train" / "a" / "0.jpg",) == found[0].related
    assert "exclude" == found[0].suggest


def test_clean_digits_are_hardly_suspected(digits):
    found = nd.audit(digits)
    assert 1797 == found.files
    flagged = {row.path for row in found if row.kind != "label_error"}
    assert 0.01 * found.files >= len(flagged), found.counts


def test_flipped_labels_of_digits_are_found_within_twice_their_number(digits, tmp_path):
    files = sorted(digits.glob("*/*.png"))
    wrong = set(random.Random(3).sample(files, 90))
    rows = [(f, random.Random(f.name).choice(sorted({*map(str, range(10))} - {f.parent.name}))) for f in wrong]
    table = tmp_path / "labels.csv"
    lines = [f"{f},{label}" for f, label in [*rows, *((f, f.parent.name) for f in files if f not in wrong)]]
    table.write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    found = nd.audit(nd.ImageSet.from_csv(table))
    errors = found.of("label_error")
    assert 0.9 * 90 <= len({row.path for row in errors[:180]} & wrong)
    truth = [row.suggest == f"relabel:{row.path.parent.name}" for row in errors if row.path in wrong]
    assert 0.9 <= sum(truth) / len(truth)
    assert "look at 50, expect about" in found.remarks[0]


def test_a_weak_model_of_the_labels_doubts_nothing_and_says_so(tmp_path):
    for number in range(40):
        place = tmp_path / "ab"[random.Random(number).random() < 0.5]
        place.mkdir(exist_ok=True)
        (place / f"{number}.jpg").write_bytes(jpeg(scene(number, 32)))
    found = nd.audit(tmp_path)
    assert "label_error" not in found.counts
    assert "Labels were not judged" in found.remarks[0]


def test_a_second_audit_opens_only_what_changed(tmp_path, monkeypatch):
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(scene(300 + number)))
    first = nd.audit(tmp_path)
    opened = []
    real = pool.measure
    monkeypatch.setattr(pool, "measure", lambda paths: real(opened.extend(paths) or paths))
    assert first == nd.audit(tmp_path)
    assert [] == opened
    (tmp_path / "2.jpg").write_bytes(b"no picture any more")
    assert {"not_an_image": 1} == nd.audit(tmp_path).counts
    assert [tmp_path / "2.jpg"] == opened


def test_a_damaged_cache_costs_time_and_no_audit(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    (data / "1.jpg").write_bytes(jpeg(scene(1)))
    nd.audit(data)
    (cache,) = (tmp_path / "cache" / "audit").glob("*.sqlite")
    cache.write_bytes(b"not a data base" * 100)
    assert 1 == nd.audit(data).files


@pytest.mark.slow
def test_what_a_learner_makes_of_pictures_is_used_and_the_learner_is_left_as_it_was(pictures, conv_learner):
    before = [len(module._forward_pre_hooks) for module in conv_learner.model.modules()]
    found = nd.audit(pictures, learn=conv_learner)
    assert sum(1 for _ in pictures.rglob("*.*")) == found.files
    assert "exif_rotated" in found.counts
    assert before == [len(module._forward_pre_hooks) for module in conv_learner.model.modules()]
    with pytest.raises(UsageError, match="not a fastai Learner"):
        nd.audit(pictures, learn="resnet18")


def test_pictures_far_from_the_others_are_outliers_and_embeddings_join_copies(tmp_path):
    numbers = np.random.default_rng(0)
    entries = []
    for number in range(60):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(jpeg(scene(400 + number, 48)))
        entries.append(Entry(path, facts_of(path), "a", ""))
    features = numbers.normal(0, 0.05, (60, 16)) + np.eye(16)[0]
    features[7] = np.eye(16)[5]
    assert [entries[7].path] == [row.path for row in outliers(entries, features, seed=1)]
    cropped = tmp_path / "cropped.jpg"
    cropped.write_bytes(jpeg(scene(400, 48).crop((1, 1, 47, 47))))
    entries.append(Entry(cropped, facts_of(cropped), "a", ""))
    joined = numbers.normal(0, 1, (61, 32))
    joined[60] = joined[0]
    pair = {entries[0].path, cropped}
    found = [{row.path, *row.related} for row in twin_findings(entries, joined) if row.kind == "near_duplicate"]
    assert pair in found


QUALITY = {
    "blur2": ("blurred", lambda i: i.filter(ImageFilter.GaussianBlur(2)), 28),
    "blur4": ("blurred", lambda i: i.filter(ImageFilter.GaussianBlur(4)), 28),
    "blur8": ("blurred", lambda i: i.filter(ImageFilter.GaussianBlur(8)), 28),
    "motion": ("blurred", lambda i: moved(i, 11), 25),
    "noise": ("noisy", noisy, 29),
    "over2": ("overexposed", lambda i: ImageEnhance.Brightness(i).enhance(2), 28),
    "over3": ("overexposed", lambda i: ImageEnhance.Brightness(i).enhance(3), 28),
    "dark": ("dark", lambda i: ImageEnhance.Brightness(i).enhance(0.2), 30),
}


def _cropped(image: Image.Image) -> Image.Image:
    return image.crop((2, 2, image.width - 3, image.height - 3))


COPIES = {
    "reencoded": (lambda i: i, 30),
    "half": (lambda i: i.resize((i.width // 2, i.height // 2)), 30),
    "brighter": (lambda i: ImageEnhance.Brightness(i).enhance(1.2), 28),
    "contrast": (lambda i: ImageEnhance.Contrast(i).enhance(1.3), 28),
    "grey": (lambda i: i.convert("L"), 30),
    "flip": (lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 30),
    "turned": (lambda i: i.transpose(Image.Transpose.ROTATE_90), 30),
    "cropped": (_cropped, 7),
}


def test_faults_planted_in_real_pictures_are_found_and_clean_ones_are_let_be(signs, tmp_path):
    pick = random.Random(1)
    wanted: dict[str, tuple[str, int]] = {}
    sources: dict[Path, Path] = {}
    for name, (kind, change, least) in {
        **QUALITY,
        **{name: ("near_duplicate", change, least) for name, (change, least) in COPIES.items()},
    }.items():
        wanted[name] = (kind, least)
        for source in pick.sample(signs, 30):
            copy = tmp_path / f"{name}-{source.parent.name}-{source.name}"
            with Image.open(source) as opened:
                change(opened.convert("RGB")).save(copy, quality=75)
            sources[copy] = source
    for source in signs:
        (tmp_path / f"clean-{source.parent.name}-{source.name}").symlink_to(source)
    found = nd.audit(tmp_path)
    hits: Counter[str] = Counter()
    for copy, original in sources.items():
        name = copy.name.partition("-")[0]
        kind = wanted[name][0]
        source = f"clean-{original.parent.name}-{original.name}"
        rows = [row for row in found.of(kind) if copy in {row.path, *row.related}]
        if kind == "near_duplicate":
            rows = [row for row in rows if source in {path.name for path in (row.path, *row.related)}]
        hits[name] += bool(rows)
    assert {} == {name: (hits[name], least) for name, (_, least) in wanted.items() if hits[name] < least}
    near = found.of("near_duplicate")
    strangers = [row for row in near if not {row.path, *row.related} & sources.keys()]
    assert 0.05 * len(near) >= len(strangers)
    poor = {row.path for row in found.of("blurred", "noisy", "overexposed", "dark", "blank")}
    assert 0.01 * len(signs) >= sum(path.name.startswith("clean") for path in poor)
