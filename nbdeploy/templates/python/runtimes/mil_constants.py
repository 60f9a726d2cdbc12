"""MIL's compressed constants: int8 and palettised weights, as numbers. Both the forms of iOS 16 and of iOS 18."""

from __future__ import annotations

from typing import Any

import numpy as np

from .mil_package import from_bits


def affine_dequantize(*, quantized_data: np.ndarray, zero_point: Any, scale: Any, axis: Any) -> Any:
    """(data - zero_point) * scale, one of each for the tensor or for every index of `axis` (iOS 16)."""
    around = [1] * quantized_data.ndim
    around[int(axis)] = -1
    shift, step = (np.asarray(v, np.float32).reshape(around if np.ndim(v) else ()) for v in (zero_point, scale))
    return (quantized_data.astype(np.float32) - shift) * step


def blockwise_shift_scale(*, data: np.ndarray, scale: np.ndarray, offset: np.ndarray | None = None) -> Any:
    """The data less its offset times its scale, one of each for every block (iOS 18)."""
    values = data.astype(np.float32)
    if offset is not None:
        values = values - _spread(np.asarray(offset, np.float32), values.shape)
    return values * _spread(np.asarray(scale, np.float32), values.shape)


def lut_to_dense(
    *, indices: np.ndarray, lut: np.ndarray, shape: np.ndarray | None = None, vector_axis: Any = None
) -> Any:
    """Every index replaced by its entry of the table; iOS 16 gives packed indices and a `shape`."""
    if shape is not None:
        bits = int(lut.size).bit_length() - 1
        return lut[from_bits(indices.view(np.uint8), bits, int(np.prod(shape)))].reshape([int(n) for n in shape])
    # iOS 18: lut [groups along each axis ..., entries, vector]; each group of indices has a table of its own.
    tables, (entries, vector) = lut.shape[:-2], lut.shape[-2:]
    number = _spread(np.arange(int(np.prod(tables))).reshape(tables), indices.shape)
    found = lut.reshape(-1, entries, vector)[number, indices]
    if vector == 1:
        return found[..., 0]
    axis = int(vector_axis) % indices.ndim
    beside = np.moveaxis(found, -1, axis + 1)
    return beside.reshape([n * vector if i == axis else n for i, n in enumerate(indices.shape)])


def sparse_to_dense(*, nonzero_data: np.ndarray, mask: np.ndarray, shape: np.ndarray | None = None) -> Any:
    """The values put where the mask has a one, zeros elsewhere; iOS 16 packs the mask and gives a `shape`."""
    if shape is not None:
        sizes = [int(n) for n in shape]
        mask = from_bits(mask.view(np.uint8), 1, int(np.prod(sizes))).reshape(sizes)
    whole = np.zeros(mask.shape, dtype=nonzero_data.dtype)
    whole[mask != 0] = nonzero_data
    return whole


def cast(*, source_val: np.ndarray, output_dtype: str) -> Any:  # noqa: ARG001 - the value has its type
    """float16 weights as float32."""
    return np.asarray(source_val, np.float32)


def _spread(blocks: np.ndarray, shape: tuple[int, ...]) -> Any:
    """One value a block, repeated so that it has `shape`."""
    for axis, (many, size) in enumerate(zip(blocks.shape, shape, strict=True)):
        if many != size:
            blocks = np.repeat(blocks, size // many, axis=axis)
    return blocks
