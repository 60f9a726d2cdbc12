"""The web page on onnxruntime-web: WebAssembly, one thread, in a worker; from the ONNX file."""

from __future__ import annotations

from typing import ClassVar

from nbdeploy.targets.onnx import OnnxTarget
from nbdeploy.targets.page.site import Runtime, Taken
from nbdeploy.targets.page.target import PageTarget

_RUNTIME = Runtime(
    engine="onnx.js",
    files=(
        Taken("onnxruntime-web", "dist/ort.wasm.bundle.min.mjs", "ort.js"),
        Taken("onnxruntime-web", "dist/ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.wasm"),
    ),
    notices=(("onnxruntime-web", "MIT", "Copyright (c) Microsoft Corporation"),),
)


class WebTarget(PageTarget, OnnxTarget):  # type: ignore[misc] # mypy counts the items of `platforms`
    """An installable page for phones and desktops; the model is the ``.onnx`` of the target onnx."""

    name = "web"
    summary = "installable web page, run by onnxruntime-web"
    page: ClassVar[Runtime] = _RUNTIME
