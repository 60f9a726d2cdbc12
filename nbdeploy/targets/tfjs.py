"""The web page on LiteRT.js, with TensorFlow.js tensors: WebAssembly, one thread, in a worker; from the TFLite file."""

from __future__ import annotations

from typing import ClassVar

from nbdeploy.targets.page.site import Runtime, Taken
from nbdeploy.targets.page.target import PageTarget
from nbdeploy.targets.tflite import TfliteTarget

_CORE, _TFJS, _CPU = "@litertjs/core", "@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-cpu"
_GOOGLE = "Copyright Google LLC"
# The loader leaves its result in a variable of the page; a module has to hand it out.
_LOADER = "\nexport default ModuleFactory;\n"

_RUNTIME = Runtime(
    engine="litert.js",
    files=(
        Taken(_CORE, "dist/index.js", "litert.js", (('"@litertjs/wasm-utils"', '"./wasm-utils.js"'),)),
        Taken("@litertjs/wasm-utils", "dist/index.js", "wasm-utils.js"),
        *(
            taken
            for build in ("litert_wasm_internal", "litert_wasm_compat_internal")
            for taken in (
                Taken(_CORE, f"wasm/{build}.js", f"{build}.js", after=_LOADER),
                Taken(_CORE, f"wasm/{build}.wasm", f"{build}.wasm"),
            )
        ),
        Taken(
            "@litertjs/tfjs-interop",
            "dist/index.js",
            "tfjs-interop.js",
            ((f'"{_CORE}"', '"./litert.js"'), (f'"{_TFJS}"', '"./tf-core.js"')),
        ),
        Taken(_TFJS, "dist/tf-core.fesm.min.js", "tf-core.js"),
        Taken(
            _CPU,
            "dist/tf-backend-cpu.fesm.min.js",
            "tf-backend-cpu.js",
            ((f'from"{_TFJS}"', 'from"./tf-core.js"'), ('from"seedrandom"', 'from"./seedrandom.js"')),
        ),
        # The one generator of the package that the backend uses, as a module.
        Taken(
            "seedrandom",
            "lib/alea.js",
            "seedrandom.js",
            before="const module = { exports: {} };\n(function () {\n",
            after="\n}).call(module);\nexport const alea = module.exports;\n",
        ),
    ),
    notices=(
        (_CORE, "Apache-2.0", _GOOGLE),
        ("@litertjs/wasm-utils", "Apache-2.0", _GOOGLE),
        ("@litertjs/tfjs-interop", "Apache-2.0", _GOOGLE),
        (_TFJS, "Apache-2.0", _GOOGLE),
        (_CPU, "Apache-2.0", _GOOGLE),
        ("seedrandom", "MIT", "Copyright 2019 David Bau; alea: Copyright (C) 2010 by Johannes Baagøe"),
    ),
)


class TfjsTarget(PageTarget, TfliteTarget):  # type: ignore[misc] # mypy counts the items of `platforms`
    """An installable page for phones and desktops; the model is the ``.tflite`` of the target tflite."""

    name = "tfjs"
    summary = "installable web page, run by LiteRT.js with TensorFlow.js tensors"
    page: ClassVar[Runtime] = _RUNTIME
