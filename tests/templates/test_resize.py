"""The shared resize: docs/resize.md's algorithm against Pillow, and the golden vectors that every app is held to."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from nbdeploy.core.signature import RESAMPLES
from nbdeploy.templates.python import predict
from tests.golden import reference


@given(
    old=some.tuples(some.integers(1, 90), some.integers(1, 90)),
    new=some.tuples(some.integers(1, 60), some.integers(1, 60)),
    name=some.sampled_from(RESAMPLES),
    channels=some.sampled_from((1, 3)),
    seed=some.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_it_is_pillows_within_one_level(
    old: tuple[int, int], new: tuple[int, int], name: str, channels: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*old, channels), dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    pillows = np.asarray(image.resize(new, Image.Resampling[name.upper()])).reshape(new[1], new[0], channels)
    ours = reference.resize(pixels, *new, name)
    assert np.abs(ours.astype(int) - pillows).max() <= 1


def test_the_golden_vectors_are_those_of_the_reference() -> None:
    assert json.loads(reference.FILE.read_text(encoding="utf-8")) == reference.document(), (
        "type: python -m tests.golden.reference"
    )


@pytest.mark.parametrize("number", range(len(reference.cases())))
def test_the_host_code_of_python_gives_the_golden_vectors(number: int) -> None:
    name, steps = reference.cases()[number]
    pixels = reference.pictures()[name]
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    for step in steps:
        image = predict._STEPS[step["op"]](image, step)
    got = np.asarray(image).reshape(image.height, image.width, -1)
    assert np.abs(got.astype(int) - reference.expected(pixels, steps)).max() <= 1


def test_the_golden_vectors_cover_every_filter_step_and_pad() -> None:
    steps = [step for _, some_steps in reference.cases() for step in some_steps]
    assert set(RESAMPLES) == {step["resample"] for step in steps}
    assert set(predict._STEPS) == {step["op"] for step in steps}
    assert set(predict._NUMPY_PADS) == {step["pad"] for step in steps}
