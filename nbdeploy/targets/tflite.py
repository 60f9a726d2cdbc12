"""TFLite: converted by litert-torch, shrunk by LiteRT's own quantizer, run by ai-edge-litert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from nbdeploy.targets import mediapipe_check
from nbdeploy.targets.base import RUNTIMES, TEMPLATES, Target
from nbdeploy.targets.tflite_metadata import add_metadata

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.recipe import Recipe
    from nbdeploy.core.report import Check
    from nbdeploy.core.signature import Signature


_CONVOLUTIONS = {3, 4}  # CONV_2D and DEPTHWISE_CONV_2D in LiteRT's schema.fbs


class TfliteTarget(Target):
    """``.tflite`` for LiteRT on Android, iOS, Linux and microcontrollers."""

    name = "tflite"
    summary = "TFLite, run by LiteRT"
    suffix = ".tflite"
    recipes = ("fp32", "fp16", "dynamic_int8", "static_int8")
    beyond_pictures: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        dict.fromkeys(("table", "text"), ("fp32", "fp16", "dynamic_int8"))
    )
    requires = ("litert_torch", "ai_edge_quantizer", "ai_edge_litert")
    tools = ("torch", "litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert")
    runtime = RUNTIMES / "tflite.py"
    runtime_requirements = ("ai-edge-litert",)
    on_arm = True
    apps = (TEMPLATES / "android",)
    row_platforms = ("Android and iOS: add {model} to the app and load it with LiteRT's Interpreter.",)
    platforms = (
        "Android: open app/android in Android Studio; it takes {model}, labels and samples from this bundle.",
        "ML Kit and MediaPipe Tasks: give them {model} as it is; labels and normalisation are inside.",
        "They resize in a way of their own, so hand over pictures prepared by the manifest's steps.",
        "iOS: add {model} to the app and load it with the LiteRT (TensorFlowLiteSwift) Interpreter.",
    )

    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        import litert_torch  # noqa: PLC0415 - seconds to import
        import torch  # noqa: PLC0415

        graph = exported.module()

        class Named(torch.nn.Module):  # the converter names inputs and outputs after arguments and keys
            def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
                return {signature.output_name: graph(inputs[signature.input_name])}

        example = torch.zeros(signature.shape, dtype=getattr(torch, signature.dtype))
        litert_torch.convert(Named().eval(), sample_kwargs={signature.input_name: example}).export(str(out))

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        from ai_edge_quantizer import quantizer  # noqa: PLC0415

        work = quantizer.Quantizer(str(base))
        work.load_quantization_recipe(_rules(recipe.name, _before_the_network(base)))
        if calibration is None:
            result = work.quantize()
        else:
            key, name = _entry(base)
            ranges = work.calibrate({key: [{name: picture[None]} for picture in calibration]})
            result = work.quantize(ranges)
        result.export_model(str(out), overwrite=True)

    def finish(self, model: Path, signature: Signature) -> None:
        if signature.kind == "image":
            add_metadata(model, signature, self.about.get("name", "model"))

    def checks(self, bundle: Bundle) -> list[Check]:
        return [mediapipe_check.check(bundle)] if bundle.signature.kind == "image" else []


def _rules(recipe: str, kept_in_float: str) -> Any:
    """LiteRT's own recipe: weights a channel at a time; operators that match `kept_in_float` stay as they are."""
    from ai_edge_quantizer.recipe import AlgorithmName, TFLOperationName  # noqa: PLC0415
    from ai_edge_quantizer.recipe_manager import RecipeManager  # noqa: PLC0415

    rules = RecipeManager()
    everything = TFLOperationName.ALL_SUPPORTED
    if recipe == "fp16":
        rules.add_weight_only_config(".*", everything, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    elif recipe == "dynamic_int8":
        rules.add_dynamic_config(".*", everything, 8)
    else:
        rules.add_static_config(".*", everything, activation_num_bits=8, weight_num_bits=8)
        # An int8 softmax answers in steps of 1/256, and an int8 output would change the type that apps read.
        for kept in (TFLOperationName.SOFTMAX, TFLOperationName.OUTPUT):
            rules.add_quantization_config(".*", kept, algorithm_key=AlgorithmName.NO_QUANTIZE)
    if kept_in_float:
        rules.add_quantization_config(kept_in_float, everything, algorithm_key=AlgorithmName.NO_QUANTIZE)
    return rules.get_quantization_recipe()


def _before_the_network(model: Path) -> str:
    """A pattern of the operators that prepare the pixels: all before the first convolution. Empty where there is none.

    A resize inside the graph is a product with a fixed matrix; in eight bits it would blur the picture.
    """
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer  # noqa: PLC0415

    content = flatbuffer.read_model(str(model))
    graph = content.subgraphs[0]
    scopes: list[str] = []
    for operator in graph.operators:
        if content.operatorCodes[operator.opcodeIndex].builtinCode in _CONVOLUTIONS:
            return "^(" + "|".join(re.escape(scope) for scope in scopes) + ")$" if scopes else ""
        scopes.append(flatbuffer.get_op_scope(operator, graph.tensors))
    return ""


def _entry(model: Path) -> tuple[str, str]:
    """The names of the model's signature and of its input."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    signatures = Interpreter(str(model)).get_signature_list()
    key = next(iter(signatures))
    return key, signatures[key]["inputs"][0]
