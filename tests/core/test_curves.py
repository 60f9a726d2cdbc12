"""Small charts as SVG: axes that end at round numbers, and nothing that is no number is drawn."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from nbdeploy.core.curves import HEIGHT, WIDTH, Line, chart, epochs, linear, percents, powers


def _drawn(lines: list[Line], **more: object) -> ET.Element:
    text = str(chart("Loss", lines, epochs(5), linear(0, 3), says="it falls", **more))  # type: ignore[arg-type]
    return ET.fromstring(text)


@pytest.mark.parametrize(("high", "end"), [(0.83, 1.0), (3.46, 4.0), (0.0421, 0.06), (1200.0, 1500.0)])
def test_a_linear_axis_ends_at_a_round_number_above(high: float, end: float) -> None:
    axis = linear(0.0, high)
    assert end == pytest.approx(axis.high)
    assert end == pytest.approx(axis.ticks[-1][0])
    assert 3 <= len(axis.ticks) <= 6


@pytest.mark.parametrize(("low", "start"), [(0.98, 0.9), (0.5, 0.4), (0.31, 0.2), (0.02, 0.0)])
def test_an_axis_of_shares_ends_at_one_hundred_per_cent(low: float, start: float) -> None:
    axis = percents(low)
    assert (start, 1.0) == (pytest.approx(axis.low), axis.high)
    assert "100" == axis.ticks[-1][1][:3]
    assert len(axis.ticks) <= 6


def test_epochs_are_whole_and_never_crowded() -> None:
    assert ["0", "1", "2", "3"] == [words for _, words in epochs(3).ticks]
    assert len(epochs(400).ticks) <= 9


def test_equal_factors_are_equal_steps_on_a_log_axis() -> None:
    axis = powers(1e-7, 10.0)
    assert 0.5 == pytest.approx(axis.share(1e-3))
    assert 9 == len(axis.ticks)


def test_what_is_no_number_is_left_out_and_the_rest_stays_inside() -> None:
    drawing = _drawn([Line("held out", [(1, 0.5), (2, math.nan), (3, 99.0)], dots=True)])
    places = [circle for circle in drawing.iter("circle") if circle.get("cx") != "10"]
    assert 2 == len(places)
    assert all(0 <= float(c.get("cx", -1)) <= WIDTH and 0 <= float(c.get("cy", -1)) <= HEIGHT for c in places)


def test_ten_thousand_points_are_thinned_and_keep_their_ends() -> None:
    drawing = _drawn([Line("", [(n / 2000, 2.0) for n in range(10_000)])])
    points = next(drawing.iter("polyline")).get("points", "").split()
    assert 240 == len(points)
    assert [points[0].split(",")[0], points[-1].split(",")[0]] == ["44.0", "396.0"]


def test_it_is_read_out_and_its_words_are_escaped() -> None:
    text = str(chart("<b>", [Line("<i>", [(0, 0)]), Line("b", [(0, 0)])], epochs(1), linear(0, 1), says='"<u>'))
    assert 'aria-label="&quot;&lt;u&gt;"' in text
    assert "<b>" not in text
    assert "<i>" not in text
