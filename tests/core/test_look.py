"""The pieces of HTML that all outputs are made of."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from nbdeploy.core import look
from nbdeploy.core.numbers import SPACE, duration
from nbdeploy.core.prediction import Prediction, Predictions

HOSTILE = "<script>alert(1)</script> & \"x\" 'y'"


def test_text_is_escaped_and_html_is_not_escaped_twice() -> None:
    page = look.output(look.head(HOSTILE), look.table([(HOSTILE, look.sign("failed"))], "ht", heads=(HOSTILE, "")))
    assert "<script" not in page
    assert 3 == page.count("&lt;script&gt;")
    assert f"✗{SPACE}failed</span>" in page


def test_an_outcome_is_a_shape_and_a_word() -> None:
    shown = {kind: look.sign(kind) for kind in look.SIGNS}
    assert 4 == len({text.partition(">")[2][0] for text in shown.values()})
    assert all(kind.replace("_", " ") in text for kind, text in shown.items())


@pytest.mark.parametrize(
    ("probability", "text"),
    [(1.0, "> 99.9 %"), (0.99996, "> 99.9 %"), (0.5, "50.0 %"), (0.00004, "< 0.1 %"), (0.0, "< 0.1 %")],
)
def test_a_model_is_never_quite_certain(probability: float, text: str) -> None:
    assert text == look.chance(probability).replace(SPACE, " ")


@pytest.mark.parametrize(("seconds", "text"), [(0.84, "0.8 s"), (59.94, "59.9 s"), (148.8, "2 min 29 s")])
def test_a_wait_is_told_in_minutes_from_a_minute_on(seconds: float, text: str) -> None:
    assert text == duration(seconds).replace(SPACE, " ")


def test_a_picture_that_cannot_be_read_is_a_neutral_square(tmp_path: Path) -> None:
    (tmp_path / "<b>.png").write_bytes(b"no picture")
    assert 'aria-label="&lt;b&gt;.png: cannot be shown"' in look.thumbnail(tmp_path / "<b>.png")


def prediction(file: str, **probabilities: float) -> Prediction:
    label = max(probabilities, key=lambda one: probabilities[one])
    return Prediction(file, label, probabilities, 1.25)


def test_an_answer_shows_the_picture_the_likely_labels_and_how_many_more_there_are(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    page = prediction(str(tmp_path / "a.png"), cat=0.7, dog=0.3, cow=0.0)._repr_html_()
    assert 1 == page.count("data:image/webp")
    assert 2 == page.count('<th scope="row">')
    assert f"70.0{SPACE}%" in page
    assert "1 other labels" not in page
    assert "1 other label, less likely" in page


def test_several_answers_are_a_list_of_short_lines_and_a_table() -> None:
    many = Predictions(prediction(f"x/{n}.png", cat=0.7, dog=0.3) for n in range(60))
    assert "[Prediction(0.png: cat 70.0%, 1.2 ms), " == repr(many)[:39]
    assert "and 10 more" in many._repr_html_()
    assert 50 == many._repr_html_().count(f"dog (30.0{SPACE}%)")


def test_a_thumbnail_shows_what_training_sees(tmp_path):
    import numpy as np

    def shown(path):
        uri = re.search(r"base64,([^\"]+)", look.thumbnail(path))
        return Image.open(io.BytesIO(base64.b64decode(uri[1])))

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), (200, 0, 0)).save(tmp_path / "lying.jpg", exif=exif)
    assert (20, 40) == shown(tmp_path / "lying.jpg").size
    values = np.linspace(1000, 50_000, 800).reshape(20, 40)
    Image.fromarray(values.astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "float.tif")
    Image.new("I;16", (20, 20), 7000).save(tmp_path / "even.png")
    for name in ("deep.png", "float.tif"):
        assert 100 < np.asarray(shown(tmp_path / name)).mean() < 155
    assert (20, 20) == shown(tmp_path / "even.png").size
