"""The torch modules that stand around a model in its exported graph, and rewrites that converters need."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention


class Divide(nn.Module):
    """x / by."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x / self.by


class Normalize(nn.Module):
    """(x - mean) / std, with the Learner's own numbers."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", _plain(mean))
        self.register_buffer("std", _plain(std))

    def forward(self, x: Tensor) -> Tensor:
        """NCHW."""
        return (x - self.mean) / self.std


class Bilinear(nn.Module):
    """Cut the box (top, left, height, width), then sample it to `size` without antialiasing."""

    def __init__(self, box: tuple[int, int, int, int], size: tuple[int, int], *, align_corners: bool) -> None:
        super().__init__()
        self.box, self.size, self.align_corners = box, size, align_corners

    def forward(self, x: Tensor) -> Tensor:
        """NCHW; gives N, C, *size."""
        top, left, height, width = self.box
        if x.shape[-2:] != (height, width):
            x = x[..., top : top + height, left : left + width]
        return F.interpolate(x, size=self.size, mode="bilinear", align_corners=self.align_corners)


class ShrinkThenBilinear(nn.Module):
    """As Bilinear, for a shrink by more than two: fastai averages areas first, and both are one matrix an axis."""

    rows: Tensor
    columns: Tensor

    def __init__(self, box: tuple[int, int, int, int], size: tuple[int, int], *, align_corners: bool) -> None:
        super().__init__()
        self.box = box
        by = 1 / _shrink(box, size)
        self.register_buffer("rows", _axis_matrix(box[2], by, size[0], align_corners=align_corners))
        self.register_buffer("columns", _axis_matrix(box[3], by, size[1], align_corners=align_corners).T.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """NCHW; gives N, C, *size."""
        top, left, height, width = self.box
        return self.rows @ (x[..., top : top + height, left : left + width] @ self.columns)


def resample(box: tuple[int, int, int, int], size: tuple[int, int], *, align_corners: bool) -> nn.Module:
    """What fastai's `affine_coord` does on an identity grid: from `box` (top, left, height, width) to `size`."""
    # fastai shrinks by areas when that factor is above 1 and above the zoom of the grid, which `align_corners` sets.
    zoom = 1.0 if align_corners else 1 / (1 - 1 / max(size))
    kind = ShrinkThenBilinear if _shrink(box, size) > max(1.0, zoom) else Bilinear
    return kind(box, size, align_corners=align_corners)


def _shrink(box: tuple[int, int, int, int], size: tuple[int, int]) -> float:
    """The factor d of fastai 2.8's `_grid_sample`, one for both axes.

    It reads the grid's shape [n, height, width, 2] from the end, so it compares the input's height with the output's
    WIDTH and the input's width with 2. The model was trained so, so the graph does so.
    """
    return min(box[2] / size[1], box[3] / 2) / 2


def _axis_matrix(length: int, by: float, wanted: int, *, align_corners: bool) -> Tensor:
    """[wanted, length]: area interpolation by the factor `by`, then bilinear to `wanted`, along one axis."""
    basis = torch.eye(length, dtype=torch.float64).unsqueeze(0).unsqueeze(0)  # each row is one input pixel's picture
    small = F.interpolate(basis, scale_factor=(1, by), mode="area", recompute_scale_factor=True)
    sampled = F.interpolate(small, size=(length, wanted), mode="bilinear", align_corners=align_corners)
    return sampled[0, 0].T.float().contiguous()


class MaxOverPicture(nn.Module):
    """nn.AdaptiveMaxPool2d(1), in an operator that every converter has (LiteRT and ExecuTorch lack the pool)."""

    def forward(self, x: Tensor) -> Tensor:
        """NCHW; gives N, C, 1, 1."""
        return x.amax((2, 3), keepdim=True)


class Deployable(nn.Module):
    """uint8 NHWC in, probabilities out: the Learner's batch transforms, its model, and softmax in one module."""

    def __init__(self, layers: list[nn.Module], model: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.before = nn.Sequential(*layers)
        self.model = model
        self.activation = activation

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [1, H, W, C] to float32 [1, classes]."""
        # The Learner feeds NCHW; PyTorch runs a merely permuted picture 2.4 times slower (resnet18, 64 px).
        pixels = image.permute(0, 3, 1, 2).contiguous().float()
        probabilities: Tensor = self.activation(self.model(self.before(pixels)))
        return probabilities


class Exp(nn.Module):
    """For a model that ends in log-softmax."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x.exp()


def rewrite(model: nn.Module) -> nn.Module:
    """Replace layers, in place, by equal ones that converters take."""
    for name, child in model.named_children():
        if isinstance(child, nn.AdaptiveMaxPool2d) and child.output_size in {1, (1, 1)}:
            setattr(model, name, MaxOverPicture())
        else:
            rewrite(child)
    return model


def activation_of(loss: Any) -> nn.Module | None:
    """What turns the model's outputs into probabilities, read off the loss; None where the loss does not say."""
    name = type(loss).__name__ if isinstance(loss, nn.Module) or hasattr(loss, "activation") else None
    if name is None:
        name = getattr(loss, "__name__", type(loss).__name__)
    known = {
        "CrossEntropyLossFlat": nn.Softmax(1),
        "LabelSmoothingCrossEntropyFlat": nn.Softmax(1),
        "LabelSmoothingCrossEntropy": nn.Softmax(1),
        "FocalLossFlat": nn.Softmax(1),
        "FocalLoss": nn.Softmax(1),
        "CrossEntropyLoss": nn.Softmax(1),
        "cross_entropy": nn.Softmax(1),
        "NLLLoss": Exp(),
        "nll_loss": Exp(),
    }
    return known.get(str(name))


def _plain(value: Tensor) -> Tensor:
    """A fastai tensor subclass as a plain float32 tensor on the CPU."""
    return value.detach().cpu().float().as_subclass(torch.Tensor).clone()
