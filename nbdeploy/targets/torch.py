"""torch.export: the program itself, for hosts that have PyTorch; weights stored smaller where a recipe asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from nbdeploy.targets.base import RUNTIMES, Target

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch.export import ExportedProgram

    from nbdeploy.core.recipe import Recipe
    from nbdeploy.core.signature import Signature

_LEVELS = 127


class TorchTarget(Target):
    """``.pt2`` for PyTorch, without the code of the model."""

    name = "torch"
    summary = "torch.export, run by PyTorch"
    suffix = ".pt2"
    recipes = ("fp32", "fp16", "dynamic_int8")
    beyond_pictures: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        dict.fromkeys(("table", "text"), ("fp32", "fp16", "dynamic_int8"))
    )
    requires = ("torch",)
    tools = ("torch",)
    runtime = RUNTIMES / "torch.py"
    runtime_requirements = ("torch",)
    platforms = (
        "Python: torch.export.load reads {model}; it may unpickle, so look through it first as app/python/runtime.py.",
        "C++: compile {model} with torch._inductor.aoti_compile_and_package, then load the package with libtorch.",
    )
    row_platforms = platforms

    def lower(self, exported: ExportedProgram, signature: Signature, out: Path) -> None:
        from nbdeploy.exporting.program import save_exported  # noqa: PLC0415 - torch

        self._exported = exported  # kept: weights are stored smaller in the graph
        save_exported(exported, out)

    def shrink(
        self, base: Path, out: Path, recipe: Recipe, calibration: np.ndarray | None, signature: Signature
    ) -> None:
        from nbdeploy.exporting.program import save_exported  # noqa: PLC0415 - torch

        save_exported(_stored_smaller(self._exported, signature, half=recipe.name == "fp16"), out)


def _stored_smaller(exported: ExportedProgram, signature: Signature, *, half: bool) -> ExportedProgram:
    """The graph with the weights of its layers in float16, or int8 with a scale a channel; arithmetic in float32.

    What has one dimension (biases, running means) and what prepares the pixels stays as it is.
    """
    import torch  # noqa: PLC0415 - seconds to import

    module = exported.module()
    graph = module.graph
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        weight = module.get_parameter(node.target) if node.target in dict(module.named_parameters()) else None
        if weight is None or weight.dim() < 2 or not weight.is_floating_point():  # noqa: PLR2004 - matrices and up
            continue
        users = list(node.users)
        owner, _, name = str(node.target).rpartition(".")
        place = module.get_submodule(owner)
        stored, scale = _small(weight.detach(), half=half)
        delattr(place, name)
        place.register_buffer(name, stored)
        with graph.inserting_after(node):
            whole = graph.call_function(torch.ops.aten.to.dtype, (node, torch.float32))
        if scale is not None:
            place.register_buffer(f"{name}_scale", scale)
            with graph.inserting_after(whole):
                factor = graph.get_attr(f"{node.target}_scale")
            with graph.inserting_after(factor):
                whole = graph.call_function(torch.ops.aten.mul.Tensor, (whole, factor))
        for user in users:
            user.replace_input_with(node, whole)
    module.recompile()
    example = torch.zeros(signature.shape, dtype=getattr(torch, signature.dtype))
    with torch.no_grad():
        return torch.export.export(module, (example,))


def _small(weight: torch.Tensor, *, half: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    if half:
        return weight.half(), None
    largest = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True).clamp_min(1e-12)
    scale = largest / _LEVELS
    return (weight / scale).round().clamp(-_LEVELS, _LEVELS).char(), scale
