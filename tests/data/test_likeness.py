"""Pairs that are nearly the same: copies, crops, small turns, watermarks; by all cosines and by an index."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from PIL import Image, ImageOps

from nbdeploy.data import likeness, nearest
from nbdeploy.data.aligned import edges_apart, fit
from nbdeploy.data.facts import Facts, facts_of
from nbdeploy.errors import NbdeployWarning
from tests.planted import COPIES, jpeg, scene

KINDS = sorted(COPIES.keys() - {"crop 20 %"})  # of which few are found: its thumbnail is another's neighbour


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> tuple[list[Facts], int]:
    """60 different pictures and behind them a copy of each kind, of the first ones; and how many are different."""
    root = tmp_path_factory.mktemp("likeness")
    pictures = [scene(seed, 128, 112) for seed in range(60)]
    every = []
    for number, picture in enumerate([*pictures, *(COPIES[kind](pictures[k]) for k, kind in enumerate(KINDS))]):
        path = root / f"{number}.jpg"
        path.write_bytes(jpeg(picture, quality=80))
        every.append(facts_of(path))
    return every, len(pictures)


def pairs(every: list[Facts]) -> set[tuple[int, int]]:
    return {(one, other) for one, other, _ in likeness.alike(every)}


def test_every_kind_of_copy_is_found_and_no_strangers(facts):
    every, clean = facts
    assert {(number, clean + number) for number in range(len(KINDS))} == pairs(every)
    assert all(0.8 <= like <= 1 for *_, like in likeness.alike(every))


def test_an_index_finds_what_all_cosines_find(facts, monkeypatch):
    pytest.importorskip("usearch", reason='usearch is not installed: pip install "nbdeploy[large]"')
    every, _ = facts
    exact = likeness.alike(every)
    monkeypatch.setattr(nearest, "MANY", 10)
    monkeypatch.setattr(nearest, "_ASKED", 16)
    found = likeness.alike(every)
    assert [pair[:2] for pair in exact] == [pair[:2] for pair in found]
    assert max(abs(one[2] - other[2]) for one, other in zip(exact, found, strict=True)) < 0.002


def test_without_the_index_all_cosines_are_taken_and_the_install_line_is_said(facts, monkeypatch):
    every, _ = facts
    exact = likeness.alike(every)
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.startswith("usearch"):
            raise ModuleNotFoundError(name="usearch")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(nearest, "MANY", 10)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.warns(NbdeployWarning, match=r"nbdeploy\[large\]"):
        assert exact == likeness.alike(every)


def test_the_nearest_rows_are_ranked_each_once_and_without_themselves():
    numbers = np.random.default_rng(0)
    rows = numbers.normal(size=(40, 16 * 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = (likeness.turned(rows) @ rows.T).reshape(8, 40, 40).max(0)
    np.fill_diagonal(cosines, -2)
    for block in nearest.nearest(rows, likeness.turned, number=12, few=4):
        for row, places in enumerate(block.index):
            own = block.start + row
            assert np.argsort(-cosines[own])[:12].tolist() == places.tolist()
            assert 12 == len(set(places.tolist()) - {own})
        assert (np.diff(block.likeness, axis=1) <= 0).all()


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_few_pictures_are_compared_too(number):
    same = Facts("a", size=(96, 96), signature=np.asarray(scene(1, 32).convert("L")).tobytes())
    expected = {0: [], 1: [], 2: [(0, 1)], 3: [(0, 1), (0, 2), (1, 2)]}
    assert expected[number] == [pair[:2] for pair in likeness.alike([same] * number)]


def test_pictures_of_one_colour_are_like_nothing():
    plain = Facts("a", size=(96, 96), signature=b"\x80" * 1024)
    assert [] == likeness.alike([plain] * 30)


def test_a_part_lies_on_its_whole_and_a_mirrored_one_does_not():
    whole = np.asarray(scene(3, 64).convert("L").resize((32, 32), Image.Resampling.BOX), np.float32)[None]
    part = np.asarray(scene(3, 64).crop((2, 2, 62, 62)).convert("L").resize((32, 32), Image.Resampling.BOX), np.float32)
    mirrored = np.asarray(ImageOps.mirror(Image.fromarray(whole[0].astype(np.uint8))), np.float32)[None]
    good, bad = fit(whole, part[None], steps=8), fit(whole, mirrored, steps=8)
    assert 0.1 > good.distance[0] / bad.distance[0]
    assert 0.3 > edges_apart(whole, part[None], good.warp)[0] < edges_apart(whole, mirrored, bad.warp)[0]
