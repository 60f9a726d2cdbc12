"""Core ML's own answers to a bundle's samples, on a Mac, through coremltools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbdeploy.core.report import Check, Status

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle


def on_the_device(bundle: Bundle) -> Check:
    """The largest difference between Core ML on this Mac and what the bundle answered when it was made.

    The limit is the recipe's `max_drift`, or twice its `same` where that is not judged: Core ML picks the processor,
    and each rounds in its own way.
    """
    try:
        import coremltools as ct  # noqa: PLC0415 - seconds
    except ImportError:
        return Check("on_the_device", Status.not_run, why="needs coremltools: pip install 'nbdeploy[coreml]'")
    from PIL import Image  # noqa: PLC0415

    from nbdeploy.targets.package import load_expected  # noqa: PLC0415

    files, expected, _ = load_expected(bundle.path)
    signature, recipe = bundle.signature, bundle.manifest["recipe"]
    answers = np.empty_like(expected)
    try:
        model = ct.models.MLModel(str(bundle.model))
        for row, file in enumerate(files):
            pixels = bundle.classifier.prepare(file)[0]
            picture = Image.fromarray(pixels if signature.channels > 1 else pixels[..., 0])
            given = model.predict({signature.input_name: picture})[signature.output_name]
            answers[row] = [given[label] for label in bundle.labels]
    except Exception as error:  # noqa: BLE001 - Core ML's errors are of many kinds
        return Check("on_the_device", Status.failed, why=f"Core ML does not run it: {type(error).__name__}: {error}")
    apart, limit = float(np.abs(answers - expected).max()), float(recipe["max_drift"] or 2 * recipe["same"])
    why = f"Core ML on this Mac against samples/expected.json, {len(files)} pictures"
    return Check("on_the_device", Status.passed if apart <= limit else Status.failed, apart, limit, why)
