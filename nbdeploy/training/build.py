"""Architecture + DataLoaders -> a plain fastai Learner, also for networks that fastai cannot cut."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

import torch

# The whole of it, not its parts: fastai adds methods to Learner and DataLoaders from many modules.
from fastai.vision.all import Learner, accuracy, default_split, has_pool_type, model_meta, vision_learner
from torch import nn
from torchvision.models import get_model_builder

from nbdeploy.core.hush import hushed
from nbdeploy.errors import NbdeployError, TrainError
from nbdeploy.training.arch import Arch, skeleton
from nbdeploy.training.weights import fetching

if TYPE_CHECKING:
    from fastai.data.core import DataLoaders

_MOMENTUM = 0.1
_AUXILIARY = ("aux1", "aux2", "AuxLogits")
"""Side exits of GoogLeNet and Inception, which make training answer with three tensors."""


def make_learner(dls: DataLoaders, arch: Arch, *, size: int, pretrained: bool) -> Learner:
    """An untrained Learner for pictures of `size` x `size` pixels; frozen up to its head when `pretrained`.

    It is what ``vision_learner(dls, arch)`` makes. Where that cannot cut the network rightly (no pooling layer to cut
    at, parts that are not its children in order, channels last), the model is ``nn.Sequential(network, nn.Linear)``:
    the whole network without its last layer, and a new one.
    Raises WeightsUnavailable, or TrainError where the network does not take such pictures.
    """
    try:
        # torch.hub says what it downloads on standard output, which belongs to the answer of a command.
        with redirect_stdout(sys.stderr), hushed(), fetching(arch) if pretrained else nullcontext():
            learn = _cut(dls, arch, size, pretrained=pretrained) or _whole(dls, arch, size, pretrained=pretrained)
    except NbdeployError:
        raise
    except Exception as error:
        side = arch.side or 224
        raise TrainError(
            f"{arch.name} cannot be built for pictures of {size} x {size} pixels ({type(error).__name__}: {error}).",
            hint=f"Type size={side}." if size != side else "Choose another arch.",
        ) from error
    if not pretrained:
        _raise_momentum(learn.model)
    return learn


def _cut(dls: DataLoaders, arch: Arch, size: int, *, pretrained: bool) -> Learner | None:
    """A Learner as fastai makes it, or None where its cut is not right for this network."""
    source: Any = arch.name
    if arch.library == "torchvision":
        source = get_model_builder(arch.name)
        if source not in model_meta and not _cuttable(skeleton(arch.name)):
            return None
    learn = vision_learner(dls, source, pretrained=pretrained, metrics=accuracy, **_sized(arch, size))
    return learn if _width(learn.model, size) == len(dls.vocab) else None


def _cuttable(model: nn.Module) -> bool:
    """Whether cutting at the last pooling layer, as fastai does, takes off no more than the classifier."""
    children = list(model.children())
    pools = [index for index, child in enumerate(children) if has_pool_type(child)]
    listed = any(isinstance(child, nn.ModuleList) for child in children)  # parts that no child runs in turn
    if any(hasattr(model, name) for name in _AUXILIARY) or listed or not pools:
        return False
    return sum(any(True for _ in child.parameters()) for child in children[pools[-1] :]) <= 1


def _whole(dls: DataLoaders, arch: Arch, size: int, *, pretrained: bool) -> Learner:
    if arch.library == "timm":
        import timm  # noqa: PLC0415 - only where it is asked for

        network = timm.create_model(arch.name, pretrained=pretrained, num_classes=0, **_sized(arch, size))
    else:
        own_size = {"image_size": size} if arch.side and not pretrained else {}
        network = get_model_builder(arch.name)(weights="DEFAULT" if pretrained else None, **own_size)
        _drop_classifier(network)
    features = _width(network, size)
    if features is None:
        network(torch.zeros(2, 3, size, size))  # once more, for what it says
        raise TrainError(f"{arch.name} does not give one row of features a picture.", hint="Choose another arch.")
    model = nn.Sequential(network, nn.Linear(features, len(dls.vocab)))
    learn = Learner(dls, model, splitter=default_split, metrics=accuracy)
    if pretrained:
        learn.freeze()
    return learn


def _drop_classifier(network: nn.Module) -> None:
    """Put Identity in the place of torchvision's last linear layer, and switch its auxiliary exits off."""
    path = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)][-1]
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Identity())
    for exit_ in _AUXILIARY:
        if hasattr(network, exit_):
            setattr(network, exit_, None)
            network.aux_logits = False  # type: ignore[assignment]


def _sized(arch: Arch, size: int) -> dict[str, Any]:
    """The argument that makes one of timm's networks of one size for another: its position table is resampled."""
    return {"img_size": size} if arch.library == "timm" and arch.side and arch.side != size else {}


def _width(model: nn.Module, size: int) -> int | None:
    """Columns of what `model` answers to two pictures; None where it fails or does not answer with rows."""
    training = model.training
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            answer = model.eval()(torch.zeros(2, 3, size, size, device=device))
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError):
        return None
    finally:
        model.train(training)
    return answer.shape[1] if isinstance(answer, torch.Tensor) and answer.dim() == 2 else None  # noqa: PLR2004


def _raise_momentum(model: nn.Module) -> None:
    # Some networks keep momentum 0.01 for runs of a thousand epochs. In a short run from scratch the running
    # statistics then never arrive: measured, torchvision's mobilenet_v3_small stays at chance (11 % of 10 classes).
    for part in model.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.momentum is not None:  # noqa: SLF001
            part.momentum = max(part.momentum, _MOMENTUM)
