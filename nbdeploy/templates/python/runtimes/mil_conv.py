"""MIL's operators over the neighbours of a pixel: convolution, pooling, resizing. Pictures are float32 NCHW."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Sides = list[tuple[int, int]]


def conv(
    *,
    x: np.ndarray,
    weight: np.ndarray,
    bias: Any = None,
    strides: Any = (1, 1),
    pad_type: str = "valid",
    pad: Any = (0, 0, 0, 0),
    dilations: Any = (1, 1),
    groups: Any = 1,
) -> Any:
    """`weight` [out, in / groups, height, width] slid over x. Raises ValueError for other than two dimensions."""
    if x.ndim != 4:  # noqa: PLR2004 - NCHW
        raise ValueError("conv over other than two dimensions is not known to the reference interpreter")
    steps, spread = _two(strides), _two(dilations)
    kernel = weight.shape[2:]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, spread, strict=True)]
    x = _padded(x, _sides(x.shape[2:], reach, steps, pad_type, pad), 0)
    many = int(groups)
    if weight.shape[1] == 1 and many == x.shape[1]:
        y = _depthwise(x, weight, steps, spread, reach)
    else:
        y = _grouped(x, weight, steps, spread, reach, many)
    return y if bias is None else y + np.reshape(bias, (1, -1, 1, 1))


def _depthwise(x: np.ndarray, weight: np.ndarray, steps: list[int], spread: list[int], reach: list[int]) -> Any:
    """Every channel by itself: one pass a tap of the kernel."""
    more = weight.shape[0] // x.shape[1]  # outputs of each channel
    if more > 1:
        x = np.repeat(x, more, axis=1)
    high, wide = ((n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, steps, strict=True))
    y = np.zeros((*x.shape[:2], high, wide), np.float32)
    part = np.empty_like(y)
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            top, left = i * spread[0], j * spread[1]
            seen = x[:, :, top : top + high * steps[0] : steps[0], left : left + wide * steps[1] : steps[1]]
            np.multiply(seen[:, :, :high, :wide], weight[:, 0, i, j].reshape(1, -1, 1, 1), out=part)
            y += part
    return y


def _grouped(  # noqa: PLR0917 - what a convolution is made of
    x: np.ndarray, weight: np.ndarray, steps: list[int], spread: list[int], reach: list[int], groups: int
) -> Any:
    """The patches as columns, times the kernels as rows."""
    n, channels = x.shape[:2]
    out, each, *kernel = weight.shape
    if kernel == [1, 1]:
        seen = x[:, :, :: steps[0], :: steps[1]]
        high, wide = seen.shape[2:]
    else:
        windows = sliding_window_view(x, reach, axis=(2, 3))
        windows = windows[:, :, :: steps[0], :: steps[1], :: spread[0], :: spread[1]]
        high, wide = windows.shape[2:4]
        seen = windows.transpose(0, 1, 4, 5, 2, 3)
    if channels != groups * each:
        raise ValueError(f"conv of {channels} channels by kernels of {each} in {groups} groups")
    columns = seen.reshape(n, groups, each * kernel[0] * kernel[1], high * wide)
    rows = weight.reshape(groups, out // groups, -1)
    return np.matmul(rows, columns).reshape(n, out, high, wide)


def max_pool(
    *,
    x: np.ndarray,
    kernel_sizes: Any,
    strides: Any = (1, 1),
    pad_type: str = "valid",
    pad: Any = (0, 0, 0, 0),
    ceil_mode: Any = False,
) -> Any:
    """The largest number under the kernel; what lies outside never is."""
    windows, _ = _windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode, fill=-np.inf)
    largest = windows[0]
    for window in windows[1:]:
        largest = np.maximum(largest, window)
    return largest


def avg_pool(
    *,
    x: np.ndarray,
    kernel_sizes: Any,
    strides: Any = (1, 1),
    pad_type: str = "valid",
    pad: Any = (0, 0, 0, 0),
    exclude_padding_from_average: Any = False,
    ceil_mode: Any = False,
) -> Any:
    """The mean of the numbers under the kernel, padding counted as zeros or left out.

    What `ceil_mode` adds beyond the padding is never counted, as in PyTorch.
    """
    windows, sides = _windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode, fill=0)
    ones = np.ones((1, 1, *x.shape[2:]), np.float32)
    if not exclude_padding_from_average:
        ones = _padded(ones, sides, 1)
        pad_type, pad = "valid", (0, 0, 0, 0)
    counts, _ = _windows(ones, kernel_sizes, strides, pad_type, pad, ceil_mode, fill=0)
    return np.asarray(sum(windows) / sum(counts[: len(windows)]))


def _windows(  # noqa: PLR0917 - what a pool is made of
    x: np.ndarray, kernel_sizes: Any, strides: Any, pad_type: str, pad: Any, ceil_mode: Any, *, fill: float
) -> tuple[list[np.ndarray], Sides]:
    """`x` as every tap of the kernel sees it, and the padding without what `ceil_mode` adds."""
    if x.ndim != 4:  # noqa: PLR2004 - NCHW
        raise ValueError("pooling over other than two dimensions is not known to the reference interpreter")
    kernel, steps = _two(kernel_sizes), _two(strides)
    sides = _sides(x.shape[2:], kernel, steps, pad_type, pad)
    counts, more = [], []
    for size, k, s, (before, after) in zip(x.shape[2:], kernel, steps, sides, strict=True):
        room = size + before + after - k
        count = (math.ceil(room / s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= size + before:  # a window must begin inside the picture
            count -= 1
        counts.append(count)
        more.append((before, after + max(0, (count - 1) * s - room)))
    x = _padded(x, more, fill)
    high, wide = ((count - 1) * s + 1 for count, s in zip(counts, steps, strict=True))
    return [
        x[:, :, i : i + high : steps[0], j : j + wide : steps[1]] for i in range(kernel[0]) for j in range(kernel[1])
    ], sides


def _two(values: Any) -> list[int]:
    return [int(v) for v in np.atleast_1d(values)]


def _sides(sizes: Any, reach: list[int], steps: list[int], pad_type: str, pad: Any) -> Sides:
    """What is added before and after each of the two axes."""
    if pad_type == "valid":
        return [(0, 0), (0, 0)]
    if pad_type == "custom":
        top, bottom, left, right = _two(pad)
        return [(top, bottom), (left, right)]
    sides = []
    for size, r, s in zip(sizes, reach, steps, strict=True):  # "same": as many outputs as there are steps in the input
        total = max(0, (math.ceil(size / s) - 1) * s + r - size)
        small, large = total // 2, total - total // 2
        sides.append((large, small) if pad_type == "same_lower" else (small, large))
    return sides


def _padded(x: np.ndarray, sides: Sides, fill: float) -> Any:
    return np.pad(x, [(0, 0), (0, 0), *sides], constant_values=fill) if any(map(any, sides)) else x


def resize_bilinear(
    *, x: np.ndarray, target_size_height: Any = 1, target_size_width: Any = 1, sampling_mode: str = "DEFAULT"
) -> Any:
    """`x` sampled at other points of its last two axes, each between its two neighbours."""
    for axis, size in ((-2, int(target_size_height)), (-1, int(target_size_width))):
        x = _sampled(x, axis, _grid(x.shape[axis], size, sampling_mode))
    return x


def upsample_bilinear(
    *, x: np.ndarray, scale_factor_height: Any = 1, scale_factor_width: Any = 1, align_corners: Any = True
) -> Any:
    """As `resize_bilinear`, with factors in place of sizes."""
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS"
    for axis, by in ((-2, float(scale_factor_height)), (-1, float(scale_factor_width))):
        x = _sampled(x, axis, _grid(x.shape[axis], math.floor(by * x.shape[axis] + 1e-4), mode))
    return x


def _grid(size: int, wanted: int, mode: str) -> Any:
    """The points of 0..size-1 that the outputs are sampled at."""
    index = np.arange(wanted, dtype=np.float64)
    if mode in {"STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"}:
        alone = (size - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0
        points = index * (size - 1) / (wanted - 1) if wanted > 1 else index + alone
    elif mode == "DEFAULT":
        points = index * (size - size / wanted) / max(1, wanted - 1)
    elif mode == "OFFSET_CORNERS":
        step = max(1, size - 1) / wanted
        points = (index + 0.5) * step
    else:  # UNALIGN_CORNERS
        points = (index + 0.5) * size / wanted - 0.5
    return np.clip(points, 0, size - 1)


def _sampled(x: np.ndarray, axis: int, points: np.ndarray) -> Any:
    low = np.floor(points).astype(int)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    share = (points - low).astype(np.float32).reshape([-1, 1] if axis == -2 else [-1])  # noqa: PLR2004 - height
    return np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share


def upsample_nearest_neighbor(*, x: np.ndarray, scale_factor_height: Any = 1, scale_factor_width: Any = 1) -> Any:
    """`x` with every number repeated along its last two axes."""
    for axis, by in ((-2, float(scale_factor_height)), (-1, float(scale_factor_width))):
        wanted = math.floor(by * x.shape[axis] + 1e-4)
        x = np.take(x, np.arange(wanted) * x.shape[axis] // wanted, axis)
    return x


def resize_nearest_neighbor(*, x: np.ndarray, target_size_height: Any, target_size_width: Any) -> Any:
    """As `upsample_nearest_neighbor`, with sizes in place of factors."""
    for axis, wanted in ((-2, int(target_size_height)), (-1, int(target_size_width))):
        x = np.take(x, np.arange(wanted) * x.shape[axis] // wanted, axis)
    return x


OPERATORS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "resize_bilinear": resize_bilinear,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
    "resize_nearest_neighbor": resize_nearest_neighbor,
}
