"""Core ML: converted by coremltools, shrunk by its optimizer, and held to the original by a reference interpreter.

Core ML itself runs on Apple's systems only. Everywhere else the program inside the package is run by
`templates/python/runtimes/coreml.py`, so that the file is verified; what that cannot say (the device's own arithmetic,
its speed) is reported as not run.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.core.report import Check, Status
from nbdeploy.errors import UsageError
from nbdeploy.targets.base import RUNTIMES, Target

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch.export import ExportedProgram

    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.recipe import Recipe
    from nbdeploy.core.signature import Signature

LABEL = "label"
_PARTS = ("mil_wire", "mil_package", "mil_constants", "mil_math", "mil_shape", "mil_conv")
_NOT_NEEDED = ("executorch", "sklearn", "tensorflow", "torchao", "torchaudio", "torchvision", "transformers", "xgboost")


class CoremlTarget(Target):
    """``.mlpackage`` for Core ML on iPhone, iPad, Mac, Watch, TV and Vision."""

    name = "coreml"
    summary = "Core ML, run here by a reference interpreter"
    suffix = ".mlpackage"
    recipes = ("fp32", "fp16", "weight_int8", "palette_6bit", "palette_4bit")
    requires = ("coremltools",)
    tools = ("torch", "coremltools")
    runtime = RUNTIMES / "coreml.py"
    runtime_parts = tuple(RUNTIMES / f"{part}.py" for part in _PARTS)
    runtime_requirements = ()
    reference_only = True
    apps = (RUNTIMES.parents[1] / "ios",)
    platforms = (
        "iOS: open app/ios/Classify.xcodeproj in Xcode and run it; app/ios/README.md says more.",
        "Core ML: {model} takes the prepared picture as an image, not an array, and gives `label`, `probabilities`.",
        "macOS: nbdeploy verify runs {model} with Core ML itself there. iOS 17, macOS 14 or newer.",
    )

    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        self._pictures = takes_picture(exported, signature)  # kept: float16 is a choice of the conversion itself
        self._convert(signature, half=False).save(str(out))

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        model = self._convert(signature, half=True)
        import coremltools.optimize.coreml as shrinking  # noqa: PLC0415 - seconds

        # Every weight is shrunk, small ones too (coremltools leaves those below 2,048 numbers), but no bias.
        how = {"weight_threshold": 0}
        if recipe.name == "weight_int8":
            rule = shrinking.OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel", **how)
            model = shrinking.linear_quantize_weights(model, shrinking.OptimizationConfig(global_config=rule))
        elif recipe.name.startswith("palette"):
            bits = 6 if recipe.name == "palette_6bit" else 4
            rule = shrinking.OpPalettizerConfig(mode="kmeans", nbits=bits, **how)
            model = shrinking.palettize_weights(model, shrinking.OptimizationConfig(global_config=rule))
        model.save(str(out))

    def _convert(self, signature: Signature, *, half: bool) -> Any:
        """The package of what `lower` prepared; with `half` all but softmax computes in float16."""
        if sys.platform == "win32":
            raise UsageError(
                "coremltools cannot convert on Windows.", hint="Deploy to coreml on Linux or macOS, or in WSL."
            )
        ct = _coremltools()
        colour = ct.colorlayout.RGB if signature.channels == 3 else ct.colorlayout.GRAYSCALE  # noqa: PLR2004 - RGB
        shape = (1, signature.channels, signature.height, signature.width)
        precision = (
            ct.transform.FP16ComputePrecision(op_selector=lambda operator: operator.op_type != "softmax")
            if half
            else ct.precision.FLOAT32
        )
        model = ct.convert(
            self._pictures,
            inputs=[ct.ImageType(name=signature.input_name, shape=shape, color_layout=colour)],
            outputs=[ct.TensorType(name="scores")],
            classifier_config=ct.ClassifierConfig(list(signature.labels), predicted_feature_name=LABEL),
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=precision,
            skip_model_load=True,
        )
        spec = model.get_spec()
        ct.utils.rename_feature(spec, f"{LABEL}_probs", signature.output_name)
        self._describe(spec, signature)
        return ct.models.MLModel(spec, weights_dir=model.weights_dir, skip_model_load=True)

    def _describe(self, spec: Any, signature: Signature) -> None:
        """What Xcode shows of the model, and the whole signature for who has only the package."""
        meta, name = spec.description.metadata, self.about.get("name", "model")
        meta.shortDescription = (
            f"{name}: classifies a picture as one of {len(signature.labels)} labels. Inside the model: "
            f"{'; '.join(signature.graph) or 'nothing before the network'}; softmax."
        )
        meta.versionString = self.about.get("version", "")
        meta.author = "made with nbdeploy"
        meta.license = "not stated: ask who trained it"
        meta.userDefined["nbdeploy.name"] = name
        meta.userDefined["nbdeploy.signature"] = json.dumps(signature.to_dict(), ensure_ascii=False)
        for feature, words in (
            (spec.description.input[0], "The picture, prepared as nbdeploy.signature says under host."),
            (spec.description.output[0], "The likeliest label."),
            (spec.description.output[1], "The probability of every label."),
        ):
            feature.shortDescription = words

    def unable(self, model: Path) -> str:
        from nbdeploy.templates.python.runtimes.coreml import unknown_operators  # noqa: PLC0415 - numpy

        unknown = unknown_operators(model)
        return f"the reference interpreter does not know {', '.join(unknown)}" if unknown else ""

    def checks(self, bundle: Bundle) -> list[Check]:
        """``package_labels``: the names that Core ML will give are the bundle's, in its order.

        ``on_the_device``: Core ML's own answers on the samples, on macOS; elsewhere it is not run.
        """
        from nbdeploy.targets.coreml_device import on_the_device  # noqa: PLC0415 - numpy

        if sys.platform == "darwin":
            return [_package_labels(bundle), on_the_device(bundle)]
        why = "Core ML runs on Apple's systems only: on a Mac type nbdeploy verify, or run the test of app/ios"
        return [_package_labels(bundle), Check("on_the_device", Status.not_run, why=why)]


def _package_labels(bundle: Bundle) -> Check:
    from nbdeploy.templates.python.runtimes.mil_package import read_package  # noqa: PLC0415 - numpy

    try:
        classes = read_package(bundle.model).operations[-1].inputs["classes"]
    except (OSError, ValueError, KeyError, IndexError) as error:
        return Check("package_labels", Status.failed, why=f"the package cannot be read: {error!r}")
    same = tuple(classes) == bundle.labels
    why = "the package names the manifest's labels in output order" if same else "the package names other labels"
    return Check("package_labels", Status.passed if same else Status.failed, len(classes), len(bundle.labels), why)


def _coremltools() -> Any:
    """The package, loaded without what it would load only because it is installed: that halves the time to load it."""
    left_out = [name for name in _NOT_NEEDED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]  # None: importing it is an ImportError
    try:
        return importlib.import_module("coremltools")
    finally:
        for name in left_out:
            del sys.modules[name]


def takes_picture(exported: ExportedProgram, signature: Signature) -> ExportedProgram:
    """The same graph for a float32 picture NCHW, 0..255, which is what Core ML makes of an image.

    The program takes uint8 NHWC. Its assertions on that type go, a permutation that undoes its own first one is put
    before it (the converter cancels the two), and it is exported anew.
    """
    import torch  # noqa: PLC0415

    network = exported.module(check_guards=False)
    for node in list(network.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:  # noqa: SLF001 - the operator's own name
            network.graph.erase_node(node)
    network.recompile()

    class Picture(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.network(image.permute(0, 2, 3, 1))
            return answer

    example = torch.zeros(1, signature.channels, signature.height, signature.width)
    made: ExportedProgram = torch.export.export(Picture(), (example,)).run_decompositions({})
    return made
