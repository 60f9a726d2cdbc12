"""What every target promises. A target's test is a subclass with its name; the tests come from here.

class TestMine(TargetContract):
    target = "mine"
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.recipe import RECIPES
from nbdeploy.errors import UsageError
from nbdeploy.verification.host import ask
from tests.models import learner, loaders


class TargetContract:
    """Bind `target`; a recipe that it does not honour must be refused."""

    target: ClassVar[str]

    @pytest.fixture(scope="class")
    def program(self, conv_learner: Any) -> nd.Program:
        return nd.export(conv_learner, name="colours")

    @pytest.fixture(scope="class")
    def made(self) -> dict[str, nd.Bundle]:
        return {}

    @pytest.fixture(params=sorted(RECIPES))
    def bundle(
        self,
        request: pytest.FixtureRequest,
        made: dict[str, nd.Bundle],
        program: nd.Program,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> nd.Bundle:
        """A bundle of each recipe that the target honours, made once."""
        recipe = request.param
        if recipe not in registry.targets.load(self.target).recipes:
            pytest.skip(f"{self.target} does not offer {recipe}")
        if recipe not in made:
            out = tmp_path_factory.mktemp(self.target) / recipe
            made[recipe] = nd.deploy(program, target=self.target, recipe=recipe, out=out, latency_runs=0)
        return made[recipe]

    def test_answers_as_the_original_on_raw_files(self, bundle: nd.Bundle, program: nd.Program) -> None:
        assert bundle.report.compared
        files = [file.path for file in program.reference.held_out]
        limit = RECIPES[bundle.recipe].mean_drift
        assert np.abs(ask(bundle, files) - program.reference.probabilities).mean() <= limit

    def test_takes_uint8_nhwc_and_gives_float32_probabilities_whatever_the_recipe(
        self, bundle: nd.Bundle, program: nd.Program
    ) -> None:
        run = registry.targets.load(self.target)().load(str(bundle.model), 1)
        answer = run(np.random.default_rng(0).integers(0, 256, program.signature.shape, dtype=np.uint8))
        assert np.float32 == answer.dtype
        assert (3,) == answer.shape
        assert 1 == pytest.approx(float(answer.sum()), abs=0.02)

    def test_its_own_host_code_and_predict_agree_on_every_sample(self, bundle: nd.Bundle) -> None:
        files = [bundle.path / name for name in bundle.manifest["samples"]]
        here = np.array([list(bundle.predict(file).probabilities.values()) for file in files])
        assert np.allclose(here, ask(bundle, files), atol=1e-6)

    def test_the_manifest_says_how_it_was_made(self, bundle: nd.Bundle) -> None:
        assert set(registry.targets.load(self.target).tools) <= set(bundle.manifest["tools"])
        assert bundle.manifest["target"] == self.target
        assert RECIPES[bundle.recipe].to_dict() == bundle.manifest["recipe"]
        assert bundle.report.metrics["size_bytes"] == bundle.size_bytes

    def test_it_can_be_moved(self, bundle: nd.Bundle, tmp_path: Path) -> None:
        import shutil

        moved = nd.Bundle.load(shutil.copytree(bundle.path, tmp_path / "a b é"))
        assert nd.verify(moved).ok

    def test_shrinking_makes_smaller_weights(self, made: dict[str, nd.Bundle], bundle: nd.Bundle) -> None:
        if bundle.recipe == "fp32" or "fp32" not in made:
            pytest.skip("needs two recipes made")
        # Tiny models are mostly structure, so only "not larger by more than that" can be held here.
        assert made["fp32"].size_bytes * 1.5 + 8192 > bundle.size_bytes

    def test_calibration_without_training_files_is_an_error(self, program: nd.Program, tmp_path: Path) -> None:
        import dataclasses

        if "static_int8" not in registry.targets.load(self.target).recipes:
            pytest.skip("offers no calibrated recipe")
        bare = dataclasses.replace(program, reference=dataclasses.replace(program.reference, calibration=()))
        with pytest.raises(UsageError, match="needs training pictures"):
            nd.deploy(bare, target=self.target, recipe="static_int8", out=tmp_path / "b")
        assert not (tmp_path / "b").exists()

    def test_a_resize_inside_the_graph_keeps_its_precision_in_int8(self, pictures: Path, tmp_path: Path) -> None:
        from fastai.vision.all import Resize, aug_transforms

        if "static_int8" not in registry.targets.load(self.target).recipes:
            pytest.skip("offers no int8 arithmetic")
        learn: Any = learner(loaders(pictures, item_tfms=Resize(100), batch_tfms=aug_transforms(size=32)), epochs=6)
        bundle = nd.deploy(learn, target=self.target, recipe="static_int8", out=tmp_path / "b", latency_runs=0)
        assert bundle.report.compared
        assert bundle.report.metrics["mean_abs_diff"] < 0.02

    def test_a_recipe_it_does_not_honour_is_refused_with_the_list(self) -> None:
        target = registry.targets.load(self.target)()
        for name, recipe in RECIPES.items():
            if name not in target.recipes:
                with pytest.raises(UsageError, match="It does:"):
                    target.check(recipe)
        assert set(target.recipes) <= set(RECIPES)
