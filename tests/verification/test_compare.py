"""Comparing answers: what counts as agreement, as a tie, and as a failure."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdeploy.core.recipe import RECIPES
from nbdeploy.verification.compare import Comparison, compare, judge, wilson

FP32, INT8 = RECIPES["fp32"], RECIPES["static_int8"]


def _compare(expected: Any, got: Any, *, recipe: Any = FP32, truth: Any = None) -> Comparison:
    expected, got = np.array(expected, np.float32), np.array(got, np.float32)
    files = [f"{i}.png" for i in range(len(expected))]
    return compare(
        expected, got, files=files, truth=truth or [None] * len(files), labels=["a", "b", "c"], recipe=recipe
    )


def _status(found: Comparison) -> dict[str, str]:
    return {check.name: str(check.status) for check in found.checks}


def test_equal_answers_pass_every_check() -> None:
    rows = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]
    found = _compare(rows, rows, truth=["a", "c"])
    assert {"passed"} == set(_status(found).values())
    assert (1.0, 0.0) == (found.metrics["top1_agreement"], found.metrics["max_abs_diff"])
    assert ((1, 0, 0), (0, 0, 0), (0, 1, 0)) == found.confusion
    assert () == found.changed


def test_a_near_tie_that_flips_is_a_tie_and_is_listed_but_does_not_disagree() -> None:
    found = _compare([[0.4002, 0.3999, 0.1999]], [[0.3999, 0.4002, 0.1999]])
    assert (1.0, 1) == (found.metrics["top1_agreement"], found.metrics["ties"])
    assert "passed" == _status(found)["top1_agreement"]
    assert ("a", "b") == (found.changed[0].original, found.changed[0].deployed)


def test_a_confident_answer_that_flips_disagrees() -> None:
    found = _compare([[0.9, 0.05, 0.05]], [[0.2, 0.75, 0.05]])
    assert 0.0 == found.metrics["top1_agreement"]
    assert {"top1_agreement", "max_drift", "mean_drift"} == {n for n, s in _status(found).items() if s == "failed"}
    assert 0.7 == pytest.approx(found.changed[0].drift)


def test_int8_drift_is_reported_and_only_its_mean_is_judged() -> None:
    found = _compare([[0.9, 0.05, 0.05]] * 20, [[0.9, 0.05, 0.05]] * 19 + [[0.6, 0.3, 0.1]], recipe=INT8)
    assert "max_drift" not in _status(found)
    assert 0.3 == pytest.approx(found.metrics["max_abs_diff"])
    assert "passed" == _status(found)["mean_drift"]


def test_a_file_without_an_answer_fails_and_is_named() -> None:
    found = _compare([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]], [[np.nan] * 3, [0.9, 0.05, 0.05]])
    assert "failed" == _status(found)["answers_are_numbers"]
    assert "failed" == _status(found)["max_drift"]
    assert 0.5 == found.metrics["top1_agreement"]
    assert "(no answer)" == found.changed[0].deployed
    assert any("0.png" in check.why for check in found.checks)


def test_losing_accuracy_fails_even_where_it_is_the_users_labels_that_tell() -> None:
    expected = [[0.9, 0.05, 0.05]] * 50
    found = _compare(expected, [[0.1, 0.85, 0.05]] * 3 + expected[3:], recipe=INT8, truth=["a"] * 50)
    assert "failed" == _status(found)["accuracy_drop"]
    assert (1.0, 0.94) == (found.metrics["accuracy_original"], found.metrics["accuracy_deployed"])


def test_accuracy_without_labels_is_not_run_and_never_passed() -> None:
    assert "not_run" == _status(_compare([[0.9, 0.05, 0.05]], [[0.9, 0.05, 0.05]]))["accuracy"]


def test_nan_is_never_within_a_limit() -> None:
    assert "failed" == judge("x", float("nan"), 1.0, "").status
    assert "failed" == judge("x", float("nan"), 1.0, "", at_least=True).status


def test_the_interval_is_wilsons() -> None:
    # E. B. Wilson's interval for 9 of 10 is 0.596 to 0.982 (Agresti and Coull, 1998, give the same formula).
    low, high = wilson(9, 10)
    assert (0.5958, 0.9821) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))


@given(right=st.integers(0, 200), wrong=st.integers(0, 200))
def test_the_interval_holds_the_share_and_stays_a_share(right: int, wrong: int) -> None:
    low, high = wilson(right, right + wrong)
    share = right / (right + wrong) if right + wrong else 0.5
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_the_promised_limits_stand(recipe: Any) -> None:
    coarse = "int8" in recipe.name or "palette" in recipe.name
    assert (0.98 if coarse else 0.995) == recipe.min_agreement
    assert recipe.tie <= 0.02
    assert recipe == dataclasses.replace(recipe)
