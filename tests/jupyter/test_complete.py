"""What the Tab key offers after a magic."""

from __future__ import annotations

from typing import Any

from nbdeploy.core.recipe import RECIPES


def test_options_complete_also_behind_an_assignment(shell: Any) -> None:
    """`r = %deploy --` offers what `%deploy --` does."""
    for line in ("%deploy --", "r = %deploy --", "x = 1\nr = %deploy learn --"):
        offered = shell.complete(line)
        assert {"--target", "--recipe", "--out", "--overwrite"} <= set(offered)
        assert "--json" not in offered
    assert shell.complete("%deploy --rec") == ["--recipe"]
    assert shell.complete("%train x --ep") == ["--epochs"]


def test_values_complete_from_their_tables(shell: Any) -> None:
    """Targets with aliases, and recipes, with a space or an equals sign."""
    assert {"tflite", "litert", "onnx"} <= set(shell.complete("%deploy --target "))
    assert sorted(RECIPES) == shell.complete("%deploy --target tflite --recipe ")
    assert shell.complete("%deploy --recipe=static") == ["static_int8"]
    assert shell.complete("b = %deploy --target tf") == ["tfjs", "tflite"]


def test_learners_complete_by_name(shell: Any) -> None:
    """The first value of %deploy is a Learner's name."""
    shell.run("learn_small = Learner()\nlearn_big = Learner()\nlearned = 1")
    assert {"learn_small", "learn_big"} == set(shell.complete("%deploy learn_"))


def test_an_option_given_already_is_not_offered_again(shell: Any) -> None:
    """What is left to say is what is offered."""
    assert "--target" not in shell.complete("%deploy --target onnx --")


def test_other_lines_complete_as_before(shell: Any) -> None:
    """The matcher stays out of the way."""
    shell.run("alphabet = 1")
    assert "alphabet" in shell.complete("alphab")
    assert "--target" not in shell.complete("%timeit --")
