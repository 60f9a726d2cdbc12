"""ONNX: exported by torch.onnx, shrunk by onnxruntime's quantizer, run by onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from nbdeploy.targets.base import RUNTIMES, TEMPLATES, Target

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from nbdeploy.core.recipe import Recipe
    from nbdeploy.core.signature import Signature

_OPSET = 20
# What int8 arithmetic is used for; preparing the pixels and softmax stay in float.
_QUANTIZED = (
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Relu",
    "Clip",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Concat",
)


class OnnxTarget(Target):
    """``.onnx`` for onnxruntime on servers, desktops, phones and in the browser."""

    name = "onnx"
    summary = "ONNX, run by onnxruntime"
    suffix = ".onnx"
    recipes = ("fp32", "fp16", "dynamic_int8", "static_int8")
    beyond_pictures: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        dict.fromkeys(("table", "text"), ("fp32", "fp16", "dynamic_int8"))
    )
    requires = ("onnx", "onnxscript", "onnxruntime")
    tools = ("torch", "onnx", "onnxscript", "onnxruntime")
    runtime = RUNTIMES / "onnx.py"
    runtime_requirements = ("onnxruntime",)
    on_arm = True
    apps = (TEMPLATES / "cpp",)
    row_platforms = (
        "C, C++, C#, Java: load {model} with onnxruntime; set ORT_DISABLE_TELEMETRY=1 beforehand.",
        "Android and iOS: onnxruntime-android (Maven) and onnxruntime-objc (CocoaPods) load {model} as it is.",
    )
    platforms = (
        "C++: app/cpp holds a program with its CMakeLists.txt.",
        "C, C#, Java: load {model} with onnxruntime; set ORT_DISABLE_TELEMETRY=1 beforehand.",
        "Android and iOS: onnxruntime-android (Maven) and onnxruntime-objc (CocoaPods) load {model} as it is.",
    )

    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        import torch  # noqa: PLC0415

        example = torch.zeros(signature.shape, dtype=getattr(torch, signature.dtype))
        torch.onnx.export(
            exported,
            (example,),
            str(out),
            dynamo=True,
            external_data=False,
            opset_version=_OPSET,
            input_names=[signature.input_name],
            output_names=[signature.output_name],
        )

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnx  # noqa: PLC0415

        model = onnx.load(str(base))
        if recipe.name == "fp16" and signature.kind != "image":
            del model.graph.value_info[:]
            onnx.save(_half_weights(model), str(out))
            return
        if recipe.name == "fp16":
            from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415

            half = convert_float_to_float16(model, keep_io_types=True, op_block_list=["Softmax", "Resize"])
            onnx.save(half, str(out))
            return
        # The exporter's shapes of inner values contradict what onnxruntime infers, so they go.
        del model.graph.value_info[:]
        plain = out.with_name("plain.onnx")
        onnx.save(model, str(plain))
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static  # noqa: PLC0415

        if calibration is None:
            # onnxruntime has a ConvInteger kernel only for unsigned weights.
            quantize_dynamic(str(plain), str(out), weight_type=QuantType.QUInt8, per_channel=True)
        else:
            quantize_static(
                str(plain),
                str(out),
                _Pictures(calibration, signature.input_name),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                # Seven bits of weight: on x86 processors without VNNI eight overflow, silently.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=list(_QUANTIZED),
                nodes_to_exclude=_before_the_network(model),
            )
        plain.unlink()


def _half_weights(model: Any) -> Any:
    """The model with its matrices in float16, cast to float32 where they are used.

    What stands in a table may be larger than 65,504, and half precision has three figures: so all arithmetic stays.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float16"), f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _before_the_network(model: Any) -> list[str]:
    """Names of the nodes that prepare the pixels: all before the first convolution."""
    names: list[str] = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            return names
        names.append(node.name)
    return []


class _Pictures:
    """onnxruntime's CalibrationDataReader over uint8 [n, H, W, C]."""

    def __init__(self, pictures: np.ndarray, name: str) -> None:
        self._feeds: Iterator[dict[str, np.ndarray]] = ({name: picture[None]} for picture in pictures)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next feed, or None at the end."""
        return next(self._feeds, None)
