"""The reference interpreter of MIL: each operator against torch, and the reader of packages against coremltools."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbdeploy.templates.python.runtimes import coreml, mil_constants, mil_conv, mil_math, mil_package, mil_shape
from nbdeploy.templates.python.runtimes.mil_wire import Message


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def _same(one: Any, other: Any, atol: float = 2e-6) -> None:
    other = other.numpy() if hasattr(other, "numpy") else other
    assert np.shape(one) == np.shape(other)
    assert np.allclose(one, other, atol=atol, rtol=1e-5), np.abs(np.asarray(one) - other).max()


CONVOLUTIONS = list(
    itertools.product(
        [(1, 1), (3, 3), (5, 2)],
        [(1, 1), (2, 3)],
        [(0, 0), (1, 2)],
        [(1, 1), (2, 1)],
        [(6, 4, 1), (6, 9, 3), (6, 12, 6)],
    )
)


@pytest.mark.parametrize(("kernel", "stride", "pad", "dilation", "channels"), CONVOLUTIONS)
def test_conv_is_torchs(kernel: Any, stride: Any, pad: Any, dilation: Any, channels: Any) -> None:
    import torch

    come, out, groups = channels
    x, weight, bias = _random(1, come, 11, 13), _random(out, come // groups, *kernel), _random(out)
    got = mil_conv.conv(
        x=x, weight=weight, bias=bias, strides=stride, pad_type="custom", pad=(pad[0], pad[0], pad[1], pad[1]),
        dilations=dilation, groups=groups,
    )  # fmt: skip
    t = [torch.from_numpy(v) for v in (x, weight, bias)]
    _same(got, torch.conv2d(*t, stride=stride, padding=pad, dilation=dilation, groups=groups), atol=3e-5)


def test_conv_pads_unevenly_as_the_program_says() -> None:
    import torch

    x, weight = _random(1, 2, 5, 6), _random(3, 2, 3, 3)
    got = mil_conv.conv(x=x, weight=weight, strides=(2, 2), pad_type="custom", pad=(0, 1, 2, 1))
    padded = torch.nn.functional.pad(torch.from_numpy(x), (2, 1, 0, 1))
    _same(got, torch.conv2d(padded, torch.from_numpy(weight), stride=2), atol=1e-5)


@pytest.mark.parametrize(("pad_type", "sides"), [("same", (0, 1, 0, 1)), ("same_lower", (1, 0, 1, 0))])
def test_same_padding_has_its_larger_half_where_its_name_says(pad_type: str, sides: Any) -> None:
    x, weight = _random(1, 1, 6, 6), _random(1, 1, 3, 3)
    expected = mil_conv.conv(x=x, weight=weight, strides=(2, 2), pad_type="custom", pad=sides)
    _same(mil_conv.conv(x=x, weight=weight, strides=(2, 2), pad_type=pad_type), expected)


POOLS = list(itertools.product([(2, 2), (3, 2)], [(1, 1), (2, 3)], [(0, 0), (1, 1)], [False, True]))


@pytest.mark.parametrize(("kernel", "stride", "pad", "ceil"), POOLS)
def test_pools_are_torchs(kernel: Any, stride: Any, pad: Any, ceil: bool) -> None:
    from torch import from_numpy
    from torch.nn import functional as F  # noqa: N812

    x = _random(1, 3, 10, 9)
    how = {
        "x": x, "kernel_sizes": kernel, "strides": stride, "pad_type": "custom", "ceil_mode": ceil,
        "pad": (pad[0], pad[0], pad[1], pad[1]),
    }  # fmt: skip
    _same(mil_conv.max_pool(**how), F.max_pool2d(from_numpy(x), kernel, stride, pad, ceil_mode=ceil))
    for excluded in (False, True):
        expected = F.avg_pool2d(from_numpy(x), kernel, stride, pad, ceil, not excluded)
        _same(mil_conv.avg_pool(**how, exclude_padding_from_average=excluded), expected)


@pytest.mark.parametrize(("height", "width"), [(7, 5), (3, 12), (1, 1)])
def test_bilinear_resizing_is_torchs(height: int, width: int) -> None:
    from torch import from_numpy
    from torch.nn import functional as F  # noqa: N812

    x = _random(1, 2, 5, 6)
    for mode, corners in (("UNALIGN_CORNERS", False), ("STRICT_ALIGN_CORNERS", True)):
        got = mil_conv.resize_bilinear(x=x, target_size_height=height, target_size_width=width, sampling_mode=mode)
        _same(got, F.interpolate(from_numpy(x), (height, width), mode="bilinear", align_corners=corners))
    got = mil_conv.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=False)
    _same(got, F.interpolate(from_numpy(x), (10, 18), mode="bilinear"))
    got = mil_conv.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3)
    _same(got, F.interpolate(from_numpy(x), (10, 18), mode="nearest"))


def _activations() -> dict[str, tuple[dict[str, Any], Any]]:
    from torch.nn import functional as F  # noqa: N812

    return {
        "relu": ({}, F.relu),
        "relu6": ({}, F.relu6),
        "leaky_relu": ({"alpha": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
        "elu": ({"alpha": 0.7}, lambda x: F.elu(x, 0.7)),
        "sigmoid": ({}, F.sigmoid),
        "silu": ({}, F.silu),
        "tanh": ({}, F.tanh),
        "softplus": ({}, F.softplus),
        "softsign": ({}, F.softsign),
        "sigmoid_hard": ({"alpha": 1 / 6, "beta": 0.5}, F.hardsigmoid),
        "thresholded_relu": ({"alpha": 0.3}, lambda x: F.threshold(x, 0.3, 0)),
        "clamped_relu": ({"alpha": 0.0, "beta": 1.5}, lambda x: x.clamp(0, 1.5)),
        "erf": ({}, lambda x: x.erf()),
        "rsqrt": ({"epsilon": 9.0}, lambda x: (x + 9).rsqrt()),
        "softmax": ({"axis": 1}, lambda x: x.softmax(1)),
        "gelu": ({"mode": "EXACT"}, F.gelu),
    }


@pytest.mark.parametrize("name", sorted(_activations()))
def test_activations_are_torchs(name: str) -> None:
    import torch

    x = _random(2, 3, 4, 5) * 3
    how, expected = _activations()[name]
    _same(mil_math.OPERATORS[name](x=x, **how), expected(torch.from_numpy(x)), atol=4e-6)


def test_the_three_kinds_of_gelu_differ() -> None:
    import torch
    from torch.nn import functional as F  # noqa: N812

    x = _random(3, 50) * 2
    _same(mil_math.gelu(x=x, mode="TANH_APPROXIMATION"), F.gelu(torch.from_numpy(x), approximate="tanh"))
    sigmoid = mil_math.gelu(x=x, mode="SIGMOID_APPROXIMATION")
    _same(sigmoid, torch.from_numpy(x) * torch.sigmoid(1.702 * torch.from_numpy(x)))
    assert np.abs(sigmoid - mil_math.gelu(x=x)).max() > 0.01


def test_an_activation_of_very_large_numbers_is_no_nan() -> None:
    x = np.array([[-1e4, 0, 1e4]], np.float32)
    for name in ("sigmoid", "silu", "softplus", "softmax", "elu", "gelu"):
        assert np.isfinite(mil_math.OPERATORS[name](x=x)).all(), name


def test_norms_heed_their_epsilon() -> None:
    import torch
    from torch.nn import functional as F  # noqa: N812

    x, mean, variance, gamma, beta = _random(2, 6, 4, 5), _random(6), _random(6) ** 2, _random(6), _random(6)
    t = [torch.from_numpy(v) for v in (x, mean, variance, gamma, beta)]
    got = mil_math.batch_norm(x=x, mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=0.1)
    _same(got, F.batch_norm(*t, eps=0.1))
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    got = mil_math.layer_norm(x=last, axes=[-1], gamma=gamma, beta=beta, epsilon=0.1)
    _same(got, F.layer_norm(torch.from_numpy(last), (6,), t[3], t[4], eps=0.1))
    _same(
        mil_math.instance_norm(x=x, gamma=gamma, beta=beta, epsilon=0.1),
        F.instance_norm(t[0], None, None, *t[3:], eps=0.1),
    )
    got = mil_math.local_response_norm(x=x, size=3, alpha=0.3, beta=0.7, k=2.0)
    _same(got, F.local_response_norm(t[0], 3, 0.3, 0.7, 2.0))


def test_reductions_matrices_and_moves_are_torchs() -> None:
    import torch

    x = _random(2, 6, 4, 5)
    t = torch.from_numpy(x)
    _same(mil_math.OPERATORS["reduce_mean"](x=x, axes=[2, 3], keep_dims=True), t.mean((2, 3), keepdim=True))
    _same(mil_math.OPERATORS["reduce_max"](x=x, axes=[-1], keep_dims=False), t.amax(-1))
    y = _random(2, 6, 3, 5)
    _same(mil_math.matmul(x=x, y=y, transpose_y=True), t @ torch.from_numpy(y).mT, atol=1e-5)
    _same(mil_shape.reshape(x=x, shape=[0, -1]), x.reshape(4, 60).reshape(4, 60))
    _same(mil_shape.reshape(x=x, shape=[2, -1, 0]), t.reshape(2, 24, 5))
    _same(
        mil_shape.pixel_shuffle(x=_random(1, 8, 3, 2), upscale_factor=2),
        torch.pixel_shuffle(torch.from_numpy(_random(1, 8, 3, 2)), 2),
    )
    cut = mil_shape.slice_by_index(
        x=x, begin=[0, 1, 3, 2], end=[0, 5, 0, 0], stride=[1, 2, -1, 1], end_mask=[False, False, False, True],
        squeeze_mask=[True, False, False, False],
    )  # fmt: skip
    _same(cut, x[0, 1:5:2, 3:0:-1, 2:])
    _same(mil_shape.concat(values=[x, x], axis=1, interleave=True), t.repeat_interleave(2, 1))
    assert [(2, 1, 4, 5), (2, 5, 4, 5)] == [p.shape for p in mil_shape.split(x=x, split_sizes=[1, 5], axis=1)]
    _same(
        mil_shape.pad(x=x, pad=[1, 0, 2, 1], mode="reflect"), torch.nn.functional.pad(t, (2, 1, 1, 0), mode="reflect")
    )


def test_compressed_weights_are_what_coremltools_says_they_are() -> None:
    from coremltools.converters.mil.mil.ops.defs.iOS16 import constexpr_ops
    from coremltools.converters.mil.mil.ops.defs.iOS18 import compression
    from coremltools.optimize import _utils

    random = np.random.default_rng(0)
    data, scale, zero = random.integers(-128, 128, (4, 3, 2)).astype(np.int8), _random(3), random.integers(-9, 9, 3)
    expected = constexpr_ops.constexpr_affine_dequantize.decompress(data, zero.astype(np.int8), scale, 1)
    _same(
        mil_constants.affine_dequantize(quantized_data=data, zero_point=zero.astype(np.int8), scale=scale, axis=1),
        expected,
    )
    for bits in (1, 2, 4, 6, 8):
        indices, lut = random.integers(0, 2**bits, 35).astype(np.uint8), _random(2**bits)
        packed = _utils.pack_elements_into_bits(indices, bits)
        expected = constexpr_ops.constexpr_lut_to_dense.decompress(lut, packed, np.array([5, 7]))
        _same(mil_constants.lut_to_dense(indices=packed, lut=lut, shape=np.array([5, 7])), expected)
    indices, lut = random.integers(0, 4, (6, 4)).astype(np.uint8), _random(3, 2, 4, 2)
    for axis in (0, 1):
        expected = compression.constexpr_lut_to_dense.decompress(indices, lut, np.int32(axis))
        _same(mil_constants.lut_to_dense(indices=indices, lut=lut, vector_axis=axis), expected)
    scale, offset = _random(2, 3, 1), _random(2, 3, 1)
    expected = compression.constexpr_blockwise_shift_scale.decompress(data, scale, offset)
    _same(mil_constants.blockwise_shift_scale(data=data, scale=scale, offset=offset), expected)
    mask = random.integers(0, 2, (5, 7)).astype(np.uint8)
    whole = np.zeros((5, 7), np.float32)
    whole[mask != 0] = _random(int(mask.sum()))
    packed = np.packbits(mask.reshape(-1), bitorder="little")
    got = mil_constants.sparse_to_dense(nonzero_data=whole[mask != 0], mask=packed, shape=np.array([5, 7]))
    _same(got, whole)


def test_four_bits_with_a_sign_are_read_as_such() -> None:
    packed = bytes([0x21, 0xF8])  # 1, 2, -8, -1 from the lowest bits up
    assert [1, 2, -8, -1] == mil_package._unpacked(packed, mil_package._SIGNED4, 4).tolist()


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x80" * 12, b"\x0b", b"\x0d\x00"])
def test_bytes_that_are_no_protocol_buffer_are_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="protocol buffer"):
        Message(data)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program written by coremltools with many operators, float16 in the middle, and a picture as input."""
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813
    from coremltools.converters.mil.mil import types

    @mb.program(input_specs=[mb.TensorSpec((1, 3, 8, 8))], opset_version=ct.target.iOS17)
    def program(image: Any) -> Any:
        x = mb.cast(x=mb.mul(x=image, y=np.float32(1 / 255)), dtype="fp16")
        x = mb.conv(x=x, weight=_random(40, 3, 3, 3).astype(np.float16), pad_type="same", strides=[2, 2])
        x = mb.gelu(x=x, mode="EXACT")
        a, b = mb.split(x=x, num_splits=2, axis=1)
        x = mb.concat(values=[mb.silu(x=a), b], axis=1)
        x = mb.reduce_mean(x=x, axes=[2, 3], keep_dims=False)
        x = mb.cast(x=mb.linear(x=x, weight=_random(3, 40).astype(np.float16)), dtype="fp32")
        return mb.softmax(x=x, axis=-1, name="scores")

    assert types.is_float(types.fp16)
    model = ct.convert(
        program,
        inputs=[ct.ImageType(name="image", shape=(1, 3, 8, 8))],
        classifier_config=ct.ClassifierConfig(["a", "b", "c"]),
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    out = tmp_path_factory.mktemp("mil") / "model.mlpackage"
    model.save(str(out))
    return out


def test_the_reader_finds_the_operators_and_constants_that_coremltools_finds(package: Path) -> None:
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.proto import Model_pb2

    folder = package / "Data" / "com.apple.CoreML"
    spec = Model_pb2.Model()
    spec.ParseFromString((folder / "model.mlmodel").read_bytes())
    theirs = load(spec, specification_version=spec.specificationVersion, file_weights_dir=str(folder / "weights"))
    ours = mil_package.read_package(package)
    operations = [op for op in theirs.functions["main"].operations if op.op_type != "const"]
    assert [op.op_type for op in operations] == [op.type for op in ours.operations if op.type != "const"]
    assert (8, 8, 3, False, "image") == (ours.width, ours.height, ours.channels, ours.bgr, ours.input_name)
    large = [
        op.val.val for op in theirs.functions["main"].operations if op.op_type == "const" and np.size(op.val.val) > 50
    ]
    found = [op.inputs["val"] for op in ours.operations if op.type == "const" and np.size(op.inputs["val"]) > 50]
    assert 2 == len(large) == len(found)
    for expected, got in zip(large, found, strict=True):
        assert np.array_equal(expected, got)


def test_a_float16_program_is_rounded_to_float16_after_every_operator(package: Path) -> None:
    import torch
    from torch.nn import functional as F  # noqa: N812

    pixels = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)

    def half(x: torch.Tensor) -> torch.Tensor:
        return x.half().float()

    weight, head = (
        torch.from_numpy(_random(*shape).astype(np.float16).astype(np.float32)) for shape in ((40, 3, 3, 3), (3, 40))
    )
    x = half(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() * np.float32(1 / 255))
    x = half(F.gelu(half(F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, stride=2))))
    x = half(torch.cat([half(F.silu(x[:, :20])), x[:, 20:]], 1).mean((2, 3)))
    expected = half(x @ head.T).softmax(-1)[0]
    _same(coreml.load(str(package), 1)(pixels), expected, atol=2e-4)


def test_a_picture_of_another_size_is_refused(package: Path) -> None:
    with pytest.raises(ValueError, match="the model takes"):
        coreml.load(str(package), 1)(np.zeros((1, 9, 8, 3), np.uint8))


@pytest.mark.parametrize("name", ["model.mlmodel", "weights/weight.bin"])
def test_a_torn_package_is_an_error_and_no_answer(package: Path, tmp_path: Path, name: str) -> None:
    import shutil

    torn = Path(shutil.copytree(package, tmp_path / "torn.mlpackage"))
    file = torn / "Data" / "com.apple.CoreML" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match="too early|weights"):
        coreml.load(str(torn), 1)


def test_a_package_cannot_point_outside_itself(package: Path, tmp_path: Path) -> None:
    import shutil

    odd = Path(shutil.copytree(package, tmp_path / "odd.mlpackage"))
    text = (odd / "Manifest.json").read_text(encoding="utf-8")
    (odd / "Manifest.json").write_text(text.replace("com.apple.CoreML/model.mlmodel", "../../secret"), encoding="utf-8")
    with pytest.raises(ValueError, match="outside"):
        coreml.load(str(odd), 1)


@pytest.mark.slow
def test_a_whole_mobile_net_answers_as_torch_does(tmp_path: Path) -> None:
    import torch
    from torch import nn
    from torchvision.models import mobilenet_v3_small

    from nbdeploy import registry
    from nbdeploy.core.signature import Signature, Step
    from nbdeploy.exporting.graph import Deployable, Divide

    torch.manual_seed(0)
    net = mobilenet_v3_small(weights=None, num_classes=4)
    pixels = torch.randint(0, 256, (8, 48, 48, 3), dtype=torch.uint8)
    with torch.no_grad():
        for module in net.modules():  # batch statistics of these pictures, so that answers differ
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        net(pixels.permute(0, 3, 1, 2).float() / 255)
    whole = Deployable([Divide(255.0)], net.eval(), nn.Softmax(1)).eval()
    step = Step(op="squish_resize", width=48, height=48)
    signature = Signature(width=48, height=48, channels=3, labels=("a", "b", "c", "d"), steps=(step,))
    target = registry.targets.load("coreml")()
    target.lower(torch.export.export(whole, (pixels[:1],)), signature, tmp_path / "model.mlpackage")
    assert "" == target.unable(tmp_path / "model.mlpackage")
    run = target.load(str(tmp_path / "model.mlpackage"), 1)
    for picture in pixels[:2]:
        with torch.inference_mode():
            expected = whole(picture[None])[0]
        _same(run(picture[None].numpy()), expected, atol=1e-5)
