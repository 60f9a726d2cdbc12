"""POST /predict: the bundle's own answers over HTTP, for every way to send a picture."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbdeploy.core.bundle import Bundle
from nbdeploy.errors import DataError
from tests.serve.made import Served, form, picture, saved

RED, GREEN = picture(), picture((40, 190, 60), kind="JPEG")


@pytest.fixture(scope="module")
def bundle(cloud_bundle: Path) -> Bundle:
    return Bundle.load(cloud_bundle)


def turned() -> bytes:
    image = Image.open(__import__("io").BytesIO(picture((40, 190, 60))))
    exif = image.getexif()
    exif[0x0112] = 3
    return saved(image, "JPEG", exif=exif)


def odd_pictures() -> dict[str, bytes]:
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    deep = Image.fromarray((pixels[..., 0].astype(np.uint16) << 8) + 17)
    palette, cmyk = image.convert("P"), image.convert("CMYK")
    return {
        "jpeg": saved(image, "JPEG"),
        "turned by EXIF": turned(),
        "16 bits": saved(deep, "PNG"),
        "palette": saved(palette, "PNG"),
        "cmyk": saved(cmyk, "JPEG"),
        "alpha": saved(image.convert("RGBA"), "PNG"),
        "gray": saved(image.convert("L"), "PNG"),
        "one bit": saved(image.convert("1"), "PNG"),
        "animated": saved(image, "GIF", save_all=True, append_images=[cmyk.convert("RGB")]),
        "webp": saved(image, "WEBP"),
        "bmp": saved(image, "BMP"),
        "tiff": saved(image, "TIFF"),
        "float": saved(Image.fromarray(pixels[..., 0].astype(np.float32)), "TIFF"),
        "two in one": saved(image, "MPO", save_all=True, append_images=[image]),
        "one pixel": saved(image.resize((1, 1)), "PNG"),
        "very wide": saved(image.resize((3000, 1)), "PNG"),
    }


def test_the_answer_has_the_promised_form_and_is_the_bundles_own(server: Served, bundle: Bundle) -> None:
    answer = server.predict(RED, "image/png")
    assert 200 == answer.status
    assert {"predictions", "model", "inference_ms"} == set(answer.json())
    assert {"name": "colours", "version": "1.0.0", "sha256": bundle.manifest["files"][0]["sha256"]} == answer.json()[
        "model"
    ]
    assert 0 < answer.json()["inference_ms"]
    (row,) = answer.json()["predictions"]
    assert bundle.predict(RED).probabilities == pytest.approx(row["probabilities"], abs=1e-6)
    assert list(bundle.labels) == list(row["probabilities"])
    assert "red apple" == row["label"]


@pytest.mark.parametrize("name", odd_pictures())
def test_an_odd_picture_is_answered_exactly_as_the_bundle_answers_it(server: Served, bundle: Bundle, name: str) -> None:
    data = odd_pictures()[name]
    answer = server.predict(data)
    assert 200 == answer.status, answer.body
    assert bundle.predict(data).probabilities == pytest.approx(
        answer.json()["predictions"][0]["probabilities"], abs=1e-6
    )


def test_what_the_bundle_refuses_is_refused_with_a_reason(server: Served, bundle: Bundle) -> None:
    bad = {
        "cut off": GREEN[: len(GREEN) // 2],
        "cut off png": RED[:60],
        "text": b"hello",
        "a zip": b"PK\x03\x04" + bytes(100),
        "zeros": bytes(1000),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "a bomb": saved(Image.new("1", (20_000, 20_000)), "PNG"),
    }
    for name, data in bad.items():
        with pytest.raises(DataError):
            bundle.predict(data)
        answer = server.predict(data)
        assert 422 == answer.status, name
        assert answer.error["code"] in {"not_a_picture", "too_many_pixels"}, name


def test_several_fields_named_file_are_answered_in_order(server: Served) -> None:
    answer = server.predict(*form(RED, GREEN, RED))
    assert ["red apple", "grün 🍏", "red apple"] == [row["label"] for row in answer.json()["predictions"]]


def test_json_with_base64_is_taken(server: Served) -> None:
    body = json.dumps({"instances": [{"b64": base64.b64encode(file).decode()} for file in (GREEN, RED)]})
    answer = server.predict(body, "application/json; charset=utf-8")
    assert ["grün 🍏", "red apple"] == [row["label"] for row in answer.json()["predictions"]]


def test_what_curl_sends_without_being_told_a_type_is_taken(server: Served) -> None:
    assert 200 == server.predict(RED, "application/x-www-form-urlencoded").status
    assert 200 == server.ask("POST", "/predict", RED).status


def test_the_one_bad_picture_of_several_is_named(server: Served) -> None:
    answer = server.predict(*form(RED, b"no picture"))
    assert 422 == answer.status
    assert "Picture 1 (counted from 0)" in answer.error["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "image/png", 400, "empty_body"),
        (b"hello", "text/plain", 422, "takes_pictures"),
        (b'{"sepal": 1.5}', "application/json", 422, "takes_pictures"),
        (b"[1, 2, 3]", "application/json", 422, "takes_pictures"),
        (b'"text"', "application/json", 422, "takes_pictures"),
        (b'{"instances": []}', "application/json", 422, "how_many"),
        (b'{"instances": [{"b64": 3}]}', "application/json", 422, "wrong_instance"),
        (b'{"instances": [{"b64": "%%%"}]}', "application/json", 422, "not_base64"),
        (b'{"instances": [{"b64": ""}]}', "application/json", 422, "empty_picture"),
        (b'{"instances": [{"b64": "aGVsbG8="}], "parameters": 3}', "application/json", 422, "wrong_parameters"),
        (b"{", "application/json", 400, "not_json"),
        (b"\xff\xfe", "application/json", 400, "not_json"),
        (b'{"instances": NaN}', "application/json", 400, "not_json"),
        (b"[" * 9000, "application/json", 400, "not_json"),
        (b"[" * 200_000, "application/json", 413, "too_complex"),
        (b"[" + b"1" * 9000 + b"]", "application/json", 400, "not_json"),
        (b"%PDF-1.7", "application/pdf", 415, "unsupported_type"),
        (b"x", "multipart/form-data", 400, "broken_form"),
        (b"x", "multipart/form-data; boundary=limit", 400, "broken_form"),
        (form(RED)[0][:-40], "multipart/form-data; boundary=limit", 400, "broken_form"),
        (*form(RED, name="image"), 422, "how_many"),
        (*form(*[RED] * 33), 422, "how_many"),
        (*form(b""), 422, "empty_picture"),
    ],
)
def test_wrong_input_gets_a_fitting_status_and_says_what_is_taken(
    server: Served, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = server.predict(body, kind)
    assert (status, code) == (answer.status, answer.error["code"])
    assert answer.error["message"]
    assert answer.error["hint"]


def test_an_unknown_address_and_a_wrong_method_say_what_there_is(server: Served) -> None:
    assert (404, "no_such_route") == ((a := server.ask("GET", "/nope")).status, a.error["code"])
    assert (404, "no_such_route") == ((a := server.ask("POST", "/predict/", RED)).status, a.error["code"])
    wrong = server.ask("GET", "/predict")
    assert (405, "POST") == (wrong.status, wrong.headers["Allow"])
    assert "wrong_method" == wrong.error["code"]


def test_it_lives_and_is_ready_with_the_model_it_serves(server: Served) -> None:
    assert {"live": True} == server.ask("GET", "/healthz").json()
    ready = server.ask("GET", "/readyz").json()
    assert ready["ready"]
    assert "colours" == ready["model"]["name"]
