"""What is foretold before anything is begun: choices, size, time, the line of Python, and a provider's plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdeploy.core.recipe import RECIPES
from nbdeploy.registry import providers, targets
from nbdeploy.shipping import choices, remembered
from nbdeploy.shipping.choices import Choice, offered, words_of
from nbdeploy.shipping.estimate import estimate
from nbdeploy.shipping.model import About
from nbdeploy.shipping.planning import plan
from nbdeploy.shipping.served import qr, who_reaches
from nbdeploy.shipping.stages import WORDS
from nbdeploy.shipping.wanted import Wanted

RESNET = About("resnet18", "Learner", 11_700_000, 359, 100)


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBDEPLOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))


def test_every_target_and_provider_is_offered_the_ready_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    some, places = offered()
    assert (set(targets), set(providers)) == ({one.name for one in some}, {one.name for one in places})
    assert {"run", "contract-tested"} >= {one.tried for one in places if one.ready}
    found = choices.doctor()
    missing = choices.Readiness(ready=False, missing=("coremltools",), install='pip install "nbdeploy[coreml]"')
    found.targets["coreml"] = missing
    monkeypatch.setattr(choices, "doctor", lambda: found)
    assert Choice("coreml", "", ready=False, missing="needs coremltools", install=missing.install) == offered()[0][-1]


def test_a_model_of_rows_is_offered_only_what_takes_rows() -> None:
    found = {one.name: one for one in offered("table")[0]}
    assert found["onnx"].ready
    assert "fp32" in found["onnx"].recipes
    assert "static_int8" not in found["onnx"].recipes
    assert ("takes pictures only", ()) == (found["coreml"].missing, found["coreml"].recipes)


def test_every_recipe_has_words() -> None:
    assert [] == [name for name in RECIPES if not words_of(name).endswith(".")]


@pytest.mark.parametrize(
    ("recipe", "size"), [("fp32", "about 48.2 MB"), ("fp16", "about 24.1 MB"), ("static_int8", "about 12.1 MB")]
)
def test_the_size_follows_from_parameters_and_recipe(recipe: str, size: str) -> None:
    ahead = estimate(RESNET, Wanted(recipe=recipe))
    assert size == ahead.size.replace("\xa0", " ")
    assert ("calibrate" in ahead.steps) == (recipe == "static_int8")
    assert ("100 training files" in ahead.files) == (recipe == "static_int8")


def test_times_are_guesses_until_they_were_taken_here_with_a_model_as_large() -> None:
    assert not estimate(RESNET, Wanted()).known
    for took in (3.0, 5.0, 4.0):
        remembered.keep(dict.fromkeys(WORDS, took), "tflite", "fp32", RESNET.parameters)
    ahead = estimate(RESNET, Wanted())
    assert {4.0} == {step.seconds for step in ahead.steps.values()}
    assert ahead.known
    larger = About("vit", "Learner", 86_000_000, 359, 100)
    assert not estimate(larger, Wanted()).known
    (Path("cache") / "steps.json").write_text("[1")
    assert not estimate(RESNET, Wanted()).known


def test_the_line_of_python_says_all_that_was_chosen() -> None:
    assert 'nd.deploy(learn, target="tflite")' == Wanted().line("learn", overwrite=False)
    chosen = Wanted(recipe="fp16", name="pets", out="build/app")
    line = 'nd.deploy(learn, target="tflite", recipe="fp16", name="pets", out="build/app", overwrite=True)'
    assert line == chosen.line("learn", overwrite=True)
    at = Wanted(provider="ssh", endpoint="pets", settings={"host": "example.org", "user": ""})
    line = 'nd.deploy(learn, target="cloud", provider="ssh", endpoint="pets", settings={"host": "example.org"})'
    assert line == at.line("learn", overwrite=False)


def test_a_plan_is_there_before_any_bundle_and_makes_nothing(tmp_path: Path) -> None:
    made = plan(RESNET, Wanted(provider="local"))
    assert ("", "It runs on this machine.") == (made["problem"], made["price"])
    assert any("resnet18 1.0.0" in step for step in made["steps"])
    assert made["commands"]
    assert "needs host" in plan(RESNET, Wanted(provider="ssh"))["problem"]
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        ("http://127.0.0.1:8000", False, "Only programs on this computer reach it."),
        ("http://127.0.0.1:8000", True, "Only programs on this computer reach it, and they need its token."),
        ("http://192.168.1.20:8000", True, "with its token. Over plain HTTP"),
        ("https://pets.example.org", False, "can ask it, and no token is asked."),
    ],
)
def test_who_reaches_an_endpoint_is_said_beside_its_code(url: str, token: bool, words: str) -> None:
    assert words in who_reaches(url, token=token)
    assert who_reaches(url, token=token).count("HTTP") == url.startswith("http://192")
    assert qr(url).startswith("<svg ")
