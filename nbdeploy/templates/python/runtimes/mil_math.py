"""MIL's operators of arithmetic: between two tensors, on every number, over axes, and activations.

Each takes its arguments by MIL's own names. All work in float32; what a float16 program rounds is rounded by the
interpreter, operator by operator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Operator = Callable[..., Any]


def sigmoid(x: np.ndarray) -> Any:
    """1 / (1 + e^-x), which does not overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def erf(x: np.ndarray) -> Any:
    """The error function, to 1.5e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26)."""
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    terms = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    series = np.zeros_like(t)
    for term in reversed(terms):
        series = (series + np.float32(term)) * t
    return np.sign(x) * (1 - series * np.exp(-size * size))


def gelu(*, x: np.ndarray, mode: str = "EXACT") -> Any:
    """`x` times the normal distribution's function, or one of the two approximations."""
    if mode == "EXACT":
        return 0.5 * x * (1 + erf(x * np.float32(np.sqrt(0.5))))
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))
    return x * sigmoid(np.float32(1.702) * x)  # SIGMOID_APPROXIMATION


def softmax(*, x: np.ndarray, axis: int = -1) -> Any:
    """e^x over its sum along `axis`."""
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def softplus(x: np.ndarray) -> Any:
    """log(1 + e^x), which does not overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def batch_norm(
    *, x: np.ndarray, mean: Any, variance: Any, gamma: Any = 1.0, beta: Any = 0.0, epsilon: Any = 1e-5
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, channel by channel."""
    mean, variance, gamma, beta = (_channels(v, x) for v in (mean, variance, gamma, beta))
    return (x - mean) * (gamma / np.sqrt(variance + epsilon)) + beta


def layer_norm(*, x: np.ndarray, axes: Any = None, gamma: Any = 1.0, beta: Any = 0.0, epsilon: Any = 1e-5) -> Any:
    """`x` less its mean over its deviation along `axes`, times gamma plus beta, which have the shape of those axes."""
    over = tuple(int(a) % x.ndim for a in np.atleast_1d(axes)) if axes is not None else tuple(range(2, x.ndim))
    around = [n if i in over else 1 for i, n in enumerate(x.shape)]
    gamma, beta = (np.reshape(v, around) if np.ndim(v) else v for v in (gamma, beta))
    return _standardised(x, over, epsilon) * gamma + beta


def instance_norm(*, x: np.ndarray, gamma: Any = 1.0, beta: Any = 0.0, epsilon: Any = 1e-5) -> Any:
    """`x` less its mean over its deviation, channel by channel of every picture."""
    return _standardised(x, tuple(range(2, x.ndim)), epsilon) * _channels(gamma, x) + _channels(beta, x)


def l2_norm(*, x: np.ndarray, epsilon: Any = 1e-6) -> Any:
    """`x` over the length of its last three axes."""
    return x / np.sqrt((x * x).sum(axis=(-3, -2, -1), keepdims=True) + epsilon)


def local_response_norm(*, x: np.ndarray, size: Any, alpha: Any = 1e-4, beta: Any = 0.75, k: Any = 1.0) -> Any:
    """`x` over a power of the squares of the `size` channels around each."""
    before = (int(size) - 1) // 2
    padded = np.pad(x * x, [(0, 0), (before, int(size) - 1 - before), *[(0, 0)] * (x.ndim - 2)])
    total = sum(padded[:, i : i + x.shape[1]] for i in range(int(size)))
    return x / (k + alpha / size * total) ** beta


def linear(*, x: np.ndarray, weight: np.ndarray, bias: Any = 0.0) -> Any:
    """`x` times the weights turned, plus the bias."""
    return x @ weight.T + bias


def matmul(*, x: np.ndarray, y: np.ndarray, transpose_x: Any = False, transpose_y: Any = False) -> Any:
    """`x` @ y, each turned first where it says so."""
    return (x.swapaxes(-1, -2) if transpose_x else x) @ (y.swapaxes(-1, -2) if transpose_y else y)


def _channels(value: Any, x: np.ndarray) -> Any:
    return np.reshape(value, [1, -1, *[1] * (x.ndim - 2)]) if np.ndim(value) else value


def _standardised(x: np.ndarray, axes: tuple[int, ...], epsilon: Any) -> Any:
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + epsilon)


def _pair(function: Callable[[Any, Any], Any]) -> Operator:
    return lambda *, x, y: function(x, y)


def _each(function: Callable[[Any], Any]) -> Operator:
    return lambda *, x: function(x)


def _reduce(function: Callable[..., Any]) -> Operator:
    def operator(*, x: np.ndarray, axes: Any = None, keep_dims: Any = False) -> Any:
        over = None if axes is None else tuple(int(a) for a in np.atleast_1d(axes))
        return np.asarray(function(x, axis=over, keepdims=bool(keep_dims)))

    return operator


def _arg(function: Callable[..., Any]) -> Operator:
    def operator(*, x: np.ndarray, axis: Any = -1, keep_dims: Any = False, output_dtype: str = "int32") -> Any:  # noqa: ARG001 - the value has its type
        return np.asarray(function(x, axis=int(axis), keepdims=bool(keep_dims)))

    return operator


OPERATORS: dict[str, Operator] = {
    "add": _pair(np.add),
    "sub": _pair(np.subtract),
    "mul": _pair(np.multiply),
    "real_div": _pair(np.true_divide),
    "floor_div": _pair(np.floor_divide),
    "mod": _pair(np.mod),
    "pow": _pair(np.power),
    "maximum": _pair(np.maximum),
    "minimum": _pair(np.minimum),
    "equal": _pair(np.equal),
    "not_equal": _pair(np.not_equal),
    "greater": _pair(np.greater),
    "greater_equal": _pair(np.greater_equal),
    "less": _pair(np.less),
    "less_equal": _pair(np.less_equal),
    "logical_and": _pair(np.logical_and),
    "logical_or": _pair(np.logical_or),
    "logical_not": _each(np.logical_not),
    "abs": _each(np.abs),
    "ceil": _each(np.ceil),
    "floor": _each(np.floor),
    "round": _each(np.round),
    "sign": _each(np.sign),
    "exp": _each(np.exp),
    "exp2": _each(np.exp2),
    "sqrt": _each(np.sqrt),
    "square": _each(np.square),
    "sin": _each(np.sin),
    "cos": _each(np.cos),
    "tanh": _each(np.tanh),
    "erf": _each(erf),
    "log": lambda *, x, epsilon=1e-45: np.log(x + epsilon),
    "rsqrt": lambda *, x, epsilon=1e-12: 1 / np.sqrt(x + epsilon),
    "inverse": lambda *, x, epsilon=1e-4: 1 / (x + epsilon),
    "clip": lambda *, x, alpha, beta: np.clip(x, alpha, beta),
    "threshold": lambda *, x, alpha: np.maximum(x, alpha),
    "select": lambda *, cond, a, b: np.where(cond, a, b),
    "relu": lambda *, x: np.maximum(x, 0),
    "relu6": lambda *, x: np.clip(x, 0, 6),
    "leaky_relu": lambda *, x, alpha: np.where(x >= 0, x, alpha * x),
    "clamped_relu": lambda *, x, alpha, beta: np.minimum(beta, np.where(x >= 0, x, alpha * x)),
    "thresholded_relu": lambda *, x, alpha: np.where(x >= alpha, x, 0),
    "prelu": lambda *, x, alpha: np.where(x > 0, x, x * _channels(alpha, x)),
    "elu": lambda *, x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "gelu": gelu,
    "sigmoid": _each(sigmoid),
    "sigmoid_hard": lambda *, x, alpha=0.2, beta=0.5: np.clip(alpha * x + beta, 0, 1),
    "silu": _each(lambda x: x * sigmoid(x)),
    "softplus": _each(softplus),
    "softsign": _each(lambda x: x / (1 + np.abs(x))),
    "scaled_tanh": lambda *, x, alpha=1.0, beta=1.0: alpha * np.tanh(beta * x),
    "linear_activation": lambda *, x, alpha, beta=0.0: alpha * x + beta,
    "softmax": softmax,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "instance_norm": instance_norm,
    "l2_norm": l2_norm,
    "local_response_norm": local_response_norm,
    "linear": linear,
    "matmul": matmul,
    "reduce_mean": _reduce(np.mean),
    "reduce_sum": _reduce(np.sum),
    "reduce_max": _reduce(np.max),
    "reduce_min": _reduce(np.min),
    "reduce_prod": _reduce(np.prod),
    "reduce_sum_square": _reduce(lambda x, **how: np.sum(x * x, **how)),
    "reduce_l2_norm": _reduce(lambda x, **how: np.sqrt(np.sum(x * x, **how))),
    "reduce_argmax": _arg(np.argmax),
    "reduce_argmin": _arg(np.argmin),
}
