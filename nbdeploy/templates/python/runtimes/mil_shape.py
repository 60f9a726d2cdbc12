"""MIL's operators that move numbers without changing them: shapes, slices, joins and padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_CUTS = (0, 0, 1, False, False, False)  # begin, end, stride and the three masks, where they are not given
_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def reshape(*, x: np.ndarray, shape: Any) -> Any:
    """The same numbers in another shape; -1 is what is left, 0 the dimension of x, counted from the right (iOS 17)."""
    wanted = [int(n) for n in np.atleast_1d(shape)]
    for place, size in enumerate(wanted):
        if size == 0:
            own = place - len(wanted) + x.ndim
            wanted[place] = x.shape[own] if own >= 0 else 1
    return x.reshape(wanted)


def slice_by_index(
    *,
    x: np.ndarray,
    begin: Any,
    end: Any,
    stride: Any = None,
    begin_mask: Any = None,
    end_mask: Any = None,
    squeeze_mask: Any = None,
) -> Any:
    """Slices as numpy has them, an axis at a time; a mask that is true leaves that bound out, or takes one index."""
    given = (begin, end, stride, begin_mask, end_mask, squeeze_mask)
    columns = [np.broadcast_to(default if v is None else v, x.ndim) for v, default in zip(given, _CUTS, strict=True)]
    cut: list[Any] = []
    for first, last, step, from_start, to_end, single in zip(*(column.tolist() for column in columns), strict=True):
        whole = slice(None if from_start else first, None if to_end else last, step)
        cut.append(first if single else whole)
    return x[tuple(cut)]


def slice_by_size(*, x: np.ndarray, begin: Any, size: Any) -> Any:
    """`size` numbers from `begin` on, an axis at a time; -1 is all that are left."""
    starts, sizes = np.atleast_1d(begin), np.atleast_1d(size)
    return x[tuple(slice(int(s), None if n == -1 else int(s + n)) for s, n in zip(starts, sizes, strict=True))]


def split(*, x: np.ndarray, num_splits: Any = None, split_sizes: Any = None, axis: Any = 0) -> list[np.ndarray]:
    """`x` cut along `axis` into equal parts, or parts of the given sizes."""
    if split_sizes is None:
        return np.split(x, int(num_splits), axis=int(axis))
    return np.split(x, np.cumsum(np.atleast_1d(split_sizes))[:-1], axis=int(axis))


def concat(*, values: Any, axis: Any, interleave: Any = False) -> Any:
    """The values one after the other along `axis`; interleaved, one index of each in turn."""
    parts = values if isinstance(values, list) else [values]
    at = int(axis)
    if not interleave:
        return np.concatenate(parts, axis=at)
    at %= parts[0].ndim
    woven = np.stack(parts, axis=at + 1)
    return woven.reshape([n * len(parts) if i == at else n for i, n in enumerate(parts[0].shape)])


def pad(*, x: np.ndarray, pad: Any, mode: str = "constant", constant_val: Any = 0.0) -> Any:
    """More numbers before and after, for the last axes."""
    pairs = np.atleast_1d(pad).reshape(-1, 2).tolist()
    sides = [(0, 0)] * (x.ndim - len(pairs)) + [tuple(pair) for pair in pairs]
    how: dict[str, Any] = {"constant_values": constant_val} if mode == "constant" else {}
    return np.pad(x, sides, mode=_MODES[mode], **how)  # type: ignore[call-overload]


def gather(*, x: np.ndarray, indices: Any, axis: Any = 0, batch_dims: Any = 0, **_: Any) -> Any:
    """The parts of `x` at `indices` along `axis`. Raises ValueError for batches, which no picture's net needs."""
    if int(batch_dims):
        raise ValueError("gather with batch_dims is not known to the reference interpreter")
    return np.take(x, np.asarray(indices, np.int64), axis=int(axis))


def squeeze(*, x: np.ndarray, axes: Any = None) -> Any:
    """`x` without axes of one."""
    return np.squeeze(x, axis=None if axes is None else tuple(int(a) for a in np.atleast_1d(axes)))


def expand_dims(*, x: np.ndarray, axes: Any) -> Any:
    """`x` with axes of one more."""
    return np.expand_dims(x, tuple(int(a) for a in np.atleast_1d(axes)))


def pixel_shuffle(*, x: np.ndarray, upscale_factor: Any) -> Any:
    """Channels laid out as finer pixels."""
    n, c, h, w = x.shape
    by = int(upscale_factor)
    blocks = x.reshape(n, c // by**2, by, by, h, w).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // by**2, h * by, w * by)


OPERATORS: dict[str, Callable[..., Any]] = {
    "reshape": reshape,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "split": split,
    "concat": concat,
    "pad": pad,
    "gather": gather,
    "squeeze": squeeze,
    "expand_dims": expand_dims,
    "pixel_shuffle": pixel_shuffle,
    "transpose": lambda *, x, perm: x.transpose([int(n) for n in perm]),
    "stack": lambda *, values, axis: np.stack(values, axis=int(axis)),
    "tile": lambda *, x, reps: np.tile(x, [int(n) for n in np.atleast_1d(reps)]),
    "reverse": lambda *, x, axes=None: np.flip(x, None if axes is None else tuple(int(a) for a in axes)),
    "flatten2d": lambda *, x, axis=1: x.reshape(int(np.prod(x.shape[: int(axis)])), -1),
    "identity": lambda *, x: x,
    "cast": lambda *, x, **_: x,  # the interpreter gives every value the type that the program declares
    "shape": lambda *, x: np.array(x.shape, np.int32),
    "fill": lambda *, shape, value=0.0: np.full([int(n) for n in np.atleast_1d(shape)], value),
}
