"""How a model is shrunk, and how near to the original it must stay to count as deployed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nbdeploy.errors import UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named way of writing weights and doing the arithmetic.

    `min_agreement` is the share of held-out files (0..1) whose top-1 answer must be the original's; a difference
    within `tie` (probability, 0..1) between the two answers is a tie, not a disagreement. `max_drift` and
    `mean_drift` bound the change of a probability over all files and classes; None: reported, not judged.
    `max_accuracy_drop` is in points of accuracy (0..1). `same` bounds how far two runs of the same bundle may differ.
    """

    name: str
    title: str
    weights: str
    activations: str
    calibrated: bool = False
    min_agreement: float
    tie: float
    max_drift: float | None
    mean_drift: float
    max_accuracy_drop: float
    same: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, saved beside the model."""
        return asdict(self)


# The limits of every recipe whose weights are whole numbers or from a palette; how far it may drift stands with each.
_SHRUNK: dict[str, Any] = {
    "min_agreement": 0.98,
    "tie": 0.02,
    "max_drift": None,
    "max_accuracy_drop": 0.02,
    "same": 0.02,
}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # The agreement limits are the project's promise. The drift limits are about ten times what was measured on
        # resnet18 and mobilenet_v3_small (fp32 5e-6, fp16 9e-4, int8 mean below 5e-3).
        Recipe(
            name="fp32",
            title="full precision",
            weights="float32",
            activations="float32",
            min_agreement=0.995,
            tie=1e-3,
            max_drift=1e-3,
            mean_drift=1e-4,
            max_accuracy_drop=0.005,
            same=1e-4,
        ),
        Recipe(
            name="fp16",
            title="half-size weights",
            weights="float16",
            activations="float32 or float16, as the runtime prefers",
            min_agreement=0.995,
            tie=5e-3,
            max_drift=0.02,
            mean_drift=2e-3,
            max_accuracy_drop=0.005,
            same=0.01,
        ),
        Recipe(
            name="dynamic_int8",
            title="quarter-size weights, no calibration",
            weights="int8 per channel",
            activations="float32, quantized at run time where the runtime can",
            mean_drift=0.05,
            **_SHRUNK,
        ),
        Recipe(
            name="static_int8",
            title="quarter-size weights and int8 arithmetic, calibrated on training files",
            weights="int8 per channel",
            activations="int8, ranges from calibration",
            calibrated=True,
            mean_drift=0.05,
            **_SHRUNK,
        ),
        # Measured on mobilenet_v3_small, digits at 32 px, 359 held-out files: weight_int8 mean drift 0.0006, no loss;
        # palette_6bit 0.0025 and 0.3 points better; palette_4bit 0.037 and 7.5 points worse, so it fails there.
        Recipe(
            name="weight_int8",
            title="quarter-size weights, arithmetic in half precision",
            weights="int8 per channel",
            activations="float16",
            mean_drift=0.01,
            **_SHRUNK,
        ),
        Recipe(
            name="palette_6bit",
            title="weights from 64 values a tensor, arithmetic in half precision",
            weights="palette of 64 float16 values per tensor",
            activations="float16",
            mean_drift=0.03,
            **_SHRUNK,
        ),
        Recipe(
            name="palette_4bit",
            title="weights from 16 values a tensor, arithmetic in half precision",
            weights="palette of 16 float16 values per tensor",
            activations="float16",
            mean_drift=0.05,
            **_SHRUNK,
        ),
    )
}


def recipe_named(name: str | Recipe) -> Recipe:
    """The recipe of that name. Raises UnknownName."""
    if isinstance(name, Recipe):
        return name
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES)
    return RECIPES[name]
