"""Run a Core ML package (.mlpackage) anywhere, with a reference interpreter of its program (MIL) in numpy.

It is a reference, not Core ML: it computes what the operators in the file are defined to give, so that the file can be
held to the original model on any computer. Where the program says float16, every operator's result is rounded to
float16, while sums inside an operator are float32; Apple's processors may add up in another order or precision. How
long it takes says nothing of a device.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import mil_constants, mil_conv, mil_math, mil_shape
from .mil_package import DTYPES, FLOAT16, FLOAT32, Kind, Name, Operation, Package, read_package

OPERATORS: dict[str, Callable[..., Any]] = {**mil_math.OPERATORS, **mil_shape.OPERATORS, **mil_conv.OPERATORS}
CONSTANTS: dict[str, Callable[..., Any]] = {
    "const": lambda *, val: val,
    "constexpr_affine_dequantize": mil_constants.affine_dequantize,
    "constexpr_blockwise_shift_scale": mil_constants.blockwise_shift_scale,
    "constexpr_lut_to_dense": mil_constants.lut_to_dense,
    "constexpr_sparse_to_dense": mil_constants.sparse_to_dense,
    "constexpr_cast": mil_constants.cast,
}
_LAST = "classify"


class UnknownOperator(ValueError):
    """The program has operators that the reference interpreter does not know."""


def load(path: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:  # noqa: ARG001 - numpy has its own threads
    """A function from uint8 [1, H, W, C] to float32 [classes].

    Raises UnknownOperator that names the operators which it does not know.
    """
    package = read_package(path)
    if unknown := unknown_operators(package):
        raise UnknownOperator(f"the reference interpreter does not know {', '.join(unknown)}")
    constants, steps = _prepared(package)
    return lambda pixels: _run(package, constants, steps, pixels)


def unknown_operators(package: Package | str | Path) -> list[str]:
    """The operators of a package, or of the one at a path, that are not known here; sorted."""
    if not isinstance(package, Package):
        package = read_package(package)
    known = {*OPERATORS, *CONSTANTS, _LAST}
    return sorted({operation.type for operation in package.operations} - known)


def _prepared(package: Package) -> tuple[dict[str, Any], list[tuple[Operation, list[str]]]]:
    """The constants by name, and the other operations, each with the values that nobody needs after it."""
    constants: dict[str, Any] = {}
    steps: list[tuple[Operation, list[str]]] = []
    for operation in package.operations:
        if operation.type in CONSTANTS:
            (output,) = operation.outputs
            arguments = {key: _resolved(value, constants) for key, value in operation.inputs.items()}
            constants[output[0]] = _typed(CONSTANTS[operation.type](**arguments), output[1])
        else:
            steps.append((operation, []))
    last: dict[str, int] = {}
    for index, (operation, _) in enumerate(steps):
        for value in operation.inputs.values():
            last |= {
                one.text: index for one in (value if isinstance(value, list) else [value]) if isinstance(one, Name)
            }
    for name, index in last.items():
        if name not in constants:
            steps[index][1].append(name)
    return constants, steps


def _run(
    package: Package, constants: dict[str, Any], steps: list[tuple[Operation, list[str]]], pixels: np.ndarray
) -> np.ndarray:
    if pixels.shape != (1, package.height, package.width, package.channels):
        raise ValueError(f"the model takes {(1, package.height, package.width, package.channels)}, not {pixels.shape}")
    picture = pixels[..., ::-1] if package.bgr else pixels
    values: dict[str, Any] = {package.input_name: np.ascontiguousarray(picture.transpose(0, 3, 1, 2), np.float32)}
    # What goes beyond float16 becomes infinite, as on the device, and a NaN answer is judged by whoever asked.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for operation, done in steps:
            arguments = {key: _resolved(value, values, constants) for key, value in operation.inputs.items()}
            if operation.type == _LAST:
                return np.asarray(arguments["probabilities"], np.float32).reshape(-1)
            results = OPERATORS[operation.type](**arguments)
            results = results if isinstance(results, list) else [results]
            for (name, kind), result in zip(operation.outputs, results, strict=True):
                values[name] = _typed(result, kind)
            for name in done:
                del values[name]
    raise ValueError("the program ends without classes")


def _resolved(value: Any, *known: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(one, *known) for one in value]
    if isinstance(value, Name):
        return next(values[value.text] for values in known if value.text in values)
    return _wide(value)


def _wide(value: Any) -> Any:
    """A float16 constant as float32, in which all is computed."""
    return (
        value.astype(np.float32) if isinstance(value, np.ndarray | np.generic) and value.dtype == np.float16 else value
    )


def _typed(value: Any, kind: Kind) -> Any:
    """A value with the precision that the program declares; floats are kept in float32."""
    if kind.data == FLOAT16:
        return np.asarray(value).astype(np.float16).astype(np.float32)
    if kind.data == FLOAT32:
        return np.asarray(value, np.float32)
    return np.asarray(value).astype(DTYPES[kind.data]) if kind.data in DTYPES else value
