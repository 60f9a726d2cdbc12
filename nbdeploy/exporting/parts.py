"""The parts of a Learner that an export starts from, and how a module is traced, whatever it takes."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nbdeploy.core.files import file_name
from nbdeploy.core.hush import hushed
from nbdeploy.core.signature import Signature
from nbdeploy.errors import ExportError, NbdeployWarning
from nbdeploy.exporting.graph import activation_of, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable

# Exported and original run the same float32 arithmetic; beyond this their difference is a fault, not rounding.
MAX_EXPORT_DRIFT = 1e-3
PROBED = 32
"""Held-out files on which an export is held to its Learner at once."""


def parts_of(learn: Any) -> tuple[Any, nn.Module]:
    """The data and the model of a Learner. Raises ExportError where it is none."""
    with hushed():
        from fastai.learner import Learner  # noqa: PLC0415 - fastai is slow to import

    if not isinstance(learn, Learner):
        raise ExportError(
            f"{type(learn).__name__} is not a fastai Learner.",
            hint="Pass the Learner itself, for example what vision_learner(...) or nd.train(...) gave you.",
        )
    dls = getattr(learn, "dls", None)
    if dls is None or not hasattr(dls, "valid"):
        raise ExportError(
            "This Learner has no data (learn.dls), so how it prepares a picture is not known.",
            hint="Set learn.dls to the DataLoaders it was trained with, then pass it again.",
        )
    if not isinstance(learn.model, nn.Module):
        raise ExportError("This Learner has no torch model.", hint="Pass a Learner with learn.model set.")
    return dls, learn.model


def activation_for(learn: Any) -> nn.Module:
    """What turns its outputs into probabilities. Raises ExportError where the loss does not say."""
    activation = activation_of(learn.loss_func)
    if activation is None:
        raise ExportError(
            f"The loss {type(learn.loss_func).__name__} does not say how outputs become probabilities.",
            hint="Pass nd.export(learn, activation=torch.nn.Softmax(1)), or a module that fits your loss.",
        )
    return activation


def act_of(activation: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """The activation as fastai's ``get_preds`` takes it."""
    return lambda outputs: activation(outputs.float())


def copied(model: nn.Module) -> nn.Module:
    """A copy in float32 on the CPU, for evaluation."""
    half = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    if half:
        kinds = ", ".join(str(kind).removeprefix("torch.") for kind in half)
        warnings.warn(
            f"The model holds {kinds} weights; it is exported, and the original is asked, in float32.",
            NbdeployWarning,
            stacklevel=4,
        )
    return rewrite(copy.deepcopy(model).cpu().float()).eval()


def example_of(signature: Signature) -> torch.Tensor:
    """Zeros of the shape and type that the model takes."""
    return torch.zeros(signature.shape, dtype=getattr(torch, signature.dtype))


def trace(module: nn.Module, signature: Signature) -> torch.export.ExportedProgram:
    """The module as a program. Raises ExportError where torch cannot, or its outputs are not one a label."""
    module = module.eval()
    example = example_of(signature)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside torch.export are not the user's
            outputs = module(example)
            exported = torch.export.export(module, (example,))
    except Exception as error:
        raise ExportError(
            f"The model cannot be exported: {str(error).strip().splitlines()[0][:300]}",
            hint="torch.export needs a forward() without data-dependent Python; the full reason: "
            "nd.errors.show_tracebacks(True).",
        ) from error
    if tuple(outputs.shape) != (1, len(signature.labels)):
        raise ExportError(
            f"The model gives {tuple(outputs.shape[1:])} outputs for {len(signature.labels)} labels.",
            hint="The last layer must give one output a class of learn.dls.vocab.",
        )
    return exported


def name_for(name: str | None, learn: Any, otherwise: str = "model") -> str:
    """What the program is called: `name`, or the Learner's architecture."""
    if name is None:
        arch = getattr(learn, "arch", None)
        name = arch if isinstance(arch, str) else getattr(arch, "__name__", otherwise)
    return file_name(str(name)) or "model"
