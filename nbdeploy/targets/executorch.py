"""ExecuTorch: lowered to its XNNPACK backend, quantized in the graph beforehand, run by its own runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.targets.base import RUNTIMES, TEMPLATES, Target

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch.export import ExportedProgram

    from nbdeploy.core.recipe import Recipe
    from nbdeploy.core.signature import Signature


class ExecutorchTarget(Target):
    """``.pte`` for ExecuTorch on Android, iOS and embedded Linux."""

    name = "executorch"
    summary = "ExecuTorch, run by its XNNPACK backend"
    suffix = ".pte"
    recipes = ("fp32", "static_int8")
    requires = ("executorch", "torchao")
    tools = ("torch", "executorch", "torchao")
    runtime = RUNTIMES / "executorch.py"
    runtime_requirements = ("executorch", "torch")
    apps = (TEMPLATES / "executorch",)
    platforms = (
        "Android: app/executorch/Classifier.kt, with org.pytorch:executorch-android and {model} in the assets.",
        "iOS: app/executorch/Classifier.swift, with the Swift package executorch and {model} in the app.",
    )

    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        self._exported = exported  # kept: it is quantized in the graph
        _write(exported, out)

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        import torch  # noqa: PLC0415 - seconds to import

        assert calibration is not None  # its one recipe beside fp32 is calibrated
        _write(_quantized(self._exported, [torch.from_numpy(picture[None].copy()) for picture in calibration]), out)


def _write(exported: ExportedProgram, out: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner  # noqa: PLC0415
    from executorch.exir import to_edge_transform_and_lower  # noqa: PLC0415

    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    out.write_bytes(program.buffer)


def _quantized(exported: ExportedProgram, pictures: list[torch.Tensor]) -> ExportedProgram:
    """The graph with int8 weights a channel at a time and int8 arithmetic, ranges from `pictures` (uint8 NHWC).

    XNNPACK has no int8 softmax and no int8 operator that prepares pixels (division, matrix product), so these stay in
    float.
    """
    import torch  # noqa: PLC0415 - seconds to import
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (  # noqa: PLC0415
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e  # noqa: PLC0415

    rules = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    with torch.no_grad():
        observed = prepare_pt2e(exported.module(), rules)
        for picture in pictures:
            observed(picture)
        return torch.export.export(convert_pt2e(observed), (pictures[0],))
