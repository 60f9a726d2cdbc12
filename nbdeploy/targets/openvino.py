"""OpenVINO: converted by OpenVINO itself, shrunk by it (fp16) or by NNCF (int8), run by OpenVINO."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.targets.base import RUNTIMES, Target

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from nbdeploy.core.recipe import Recipe
    from nbdeploy.core.signature import Signature


class OpenvinoTarget(Target):
    """``.xml`` with ``.bin`` for OpenVINO on Intel and ARM processors."""

    name = "openvino"
    summary = "OpenVINO IR, run by OpenVINO"
    suffix = ".xml"
    recipes = ("fp32", "fp16", "static_int8")
    requires = ("openvino", "nncf")
    tools = ("torch", "openvino", "nncf")
    runtime = RUNTIMES / "openvino.py"
    runtime_requirements = ("openvino",)
    platforms = (
        "C and C++: ov::Core::compile_model reads {model} and the .bin beside it; set inference_precision to f32.",
        "Python: openvino brings openvino-telemetry along; app/python/runtime.py shows how it is never loaded.",
    )

    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        openvino = _openvino()
        model = openvino.convert_model(exported)
        model.reshape(list(signature.shape))
        model.input(0).get_tensor().set_names({signature.input_name})
        model.output(0).get_tensor().set_names({signature.output_name})
        openvino.save_model(model, str(out), compress_to_fp16=False)

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        openvino = _openvino()
        if calibration is None:
            openvino.save_model(openvino.Core().read_model(str(base)), str(out), compress_to_fp16=True)
            return
        # From the half-size file: what int8 leaves out (squeeze-and-excite blocks, say) stays small.
        half = base.with_name("half.xml")
        openvino.save_model(openvino.Core().read_model(str(base)), str(half), compress_to_fp16=True)
        openvino.save_model(_quantized(openvino.Core().read_model(str(half)), calibration), str(out))


def _openvino() -> Any:
    """The package, without the one that reports its use: then it has a stand-in of its own that does nothing."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino  # noqa: PLC0415 - only after that

    return openvino


def _quantized(model: Any, calibration: np.ndarray) -> Any:
    import nncf  # noqa: PLC0415 - seconds to import
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix  # noqa: PLC0415

    return nncf.quantize(
        model,
        nncf.Dataset([picture[None] for picture in calibration]),
        subset_size=len(calibration),
        # An int8 softmax answers in steps of 1/256, and an int8 resize would blur the picture.
        ignored_scope=nncf.IgnoredScope(names=_kept_in_float(model)),
        # Half the range of weights: on x86 processors without VNNI the whole one overflows, silently.
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
    )


def _kept_in_float(model: Any) -> list[str]:
    """Names of the operators that prepare the pixels (all before the first convolution), and of softmax."""
    ordered = [op for op in model.get_ordered_ops() if op.get_type_name() not in {"Parameter", "Constant", "Result"}]
    kinds = [op.get_type_name() for op in ordered]
    first = next((at for at, kind in enumerate(kinds) if kind.endswith("Convolution")), 0)
    return [op.get_friendly_name() for at, op in enumerate(ordered) if at < first or kinds[at] == "Softmax"]
