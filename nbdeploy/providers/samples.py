"""Hold what a place answers to the bundle's samples, where the place is asked in a way of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.errors import ProviderError

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle


def hold(bundle: Bundle, asked: Callable[[bytes], Mapping[str, Any]]) -> float:
    """The largest distance of a probability from ``samples/expected.json``; `asked` gives what is said of a raw file.

    Raises ProviderError where it is more than the bundle's own tolerance, or no answer.
    """
    expected = json.loads((bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))
    limit, worst = float(expected["tolerance"]), 0.0
    for row in expected["samples"]:
        said = asked((bundle.path / "samples" / Path(row["file"]).name).read_bytes())
        should: Mapping[str, float] = row["deployed"] or row["probabilities"]
        try:
            there = said["predictions"][0]["probabilities"]
            far = max(abs(float(there[label]) - value) for label, value in should.items())
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ProviderError(
                f"It answers {row['file']} with no probabilities of these labels.", hint="Is it another model's image?"
            ) from error
        if not far <= limit:  # not a number is no answer either
            raise ProviderError(
                f"It answers {row['file']} otherwise than the bundle: {far:.3g} away, at most {limit:g} is let pass.",
                hint="Is it another model's image? The image is named after the bundle's release.",
            )
        worst = max(worst, far)
    return worst
