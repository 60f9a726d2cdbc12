"""A tiny cloud bundle made without torch, its server in a process of its own, and plain ways to ask it."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from nbdeploy.core.bundle import FORMAT, MANIFEST, sealed
from nbdeploy.core.files import sha256_of, write_json
from nbdeploy.core.recipe import RECIPES
from nbdeploy.core.signature import Ranges, Signature, Step
from nbdeploy.targets.cloud import CloudTarget
from nbdeploy.targets.package import host_code

SIDE = 24
SIGNATURE = Signature(
    width=SIDE,
    height=SIDE,
    channels=3,
    labels=("red apple", "grün 🍏", "blue"),
    steps=(Step(op="crop_resize", width=SIDE, height=SIDE),),
    exif=True,
    ranges=Ranges(integers=(0, 65535)),
)
CLEAN = ("NBDEPLOY_", "AIP_", "PYTHON")
"""What the server's environment must not have from here."""


def write_model(file: Path) -> None:
    """uint8 [n, 24, 24, 3] -> the mean of the upper half, so that a picture that is turned has another answer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.array([[9, -4, -4], [-4, 9, -4], [-4, -4, 9]], dtype=np.float32)
    constants = {
        "weight": weight,
        "scale": np.array(1 / 255, dtype=np.float32),
        "from": np.array([0], dtype=np.int64),
        "to": np.array([SIDE // 2], dtype=np.int64),
        "rows": np.array([1], dtype=np.int64),
        "axes": np.array([1, 2], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Slice", ["image", "from", "to", "rows"], ["upper"]),
        helper.make_node("Cast", ["upper"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(file))


def picture(colour: tuple[int, int, int] = (200, 40, 40), size: tuple[int, int] = (60, 40), kind: str = "PNG") -> bytes:
    """A file: the upper half of one colour, the lower half blue."""
    pixels = np.full((size[1], size[0], 3), (40, 60, 200), dtype=np.uint8)
    pixels[: size[1] // 2] = colour
    return saved(Image.fromarray(pixels), kind)


def saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def write_bundle(folder: Path, *, name: str = "colours", version: str = "1.0.0") -> Path:
    """A whole bundle of the target cloud, with samples that it answers."""
    import onnxruntime

    from nbdeploy.templates.python.predict import preprocess

    folder.mkdir(parents=True)
    write_model(folder / "model.onnx")
    app, samples = folder / "app" / "python", folder / "samples"
    app.mkdir(parents=True)
    samples.mkdir()
    for file, source in host_code(CloudTarget).items():
        shutil.copyfile(source, app / file)
    CloudTarget().furnish(folder, name=name)
    (samples / "1.png").write_bytes(picture())
    (samples / "2.jpg").write_bytes(picture((40, 190, 60), kind="JPEG"))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    rows = []
    for file in sorted(samples.iterdir()):
        pixels = preprocess(file, SIGNATURE.to_dict()["host"], channels=3)
        answer = session.run(None, {"image": pixels})[0][0]
        table = {label: float(value) for label, value in zip(SIGNATURE.labels, answer, strict=True)}
        rows.append({"file": file.name, "probabilities": table, "deployed": table})
    write_json(samples / "expected.json", {"tolerance": 1e-4, "samples": rows})
    write_json(folder / "report.json", {"checks": [], "metrics": {}})
    files = [folder / "model.onnx", *sorted(f for f in folder.rglob("*") if f.is_file() and f.name != "model.onnx")]
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "target": "cloud",
        "recipe": RECIPES["fp32"].to_dict(),
        "model": "model.onnx",
        "signature": SIGNATURE.to_dict(),
        "samples": ["samples/1.png", "samples/2.jpg"],
        "files": [
            {"path": f.relative_to(folder).as_posix(), "sha256": sha256_of(f), "bytes": f.stat().st_size} for f in files
        ],
    }
    write_json(folder / MANIFEST, sealed(manifest))
    return folder


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        error = self.json()["error"]
        assert {"code", "message", "hint"} == set(error)
        return error


@dataclass
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    told: list[str] = field(default_factory=list)
    """Lines of its standard error."""
    pid: int = 0

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; ``Content_Type`` stands for Content-Type."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())  # type: ignore[arg-type]
        finally:
            connection.close()

    def predict(self, body: Any, kind: str = "application/octet-stream", **headers: str) -> Answer:
        return self.ask("POST", "/predict", body, Content_Type=kind, **headers)

    def events(self) -> list[dict[str, Any]]:
        """Its log so far."""
        return [json.loads(line) for line in self.told]

    def end(self) -> int:
        """SIGTERM; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def memory(self) -> int:
        """Resident bytes."""
        import psutil

        return psutil.Process(self.process.pid).memory_info().rss


@contextmanager
def served(
    bundle: Path, *options: str, env: Mapping[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> Iterator[Served]:
    """The bundle's own server, by ``python app/server``, as a user of the bundle starts it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(CLEAN) and k != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-s", str(bundle / "app" / "server"), *(options or ("--port", "0"))]
    with running(command, env={**kept, "NBDEPLOY_THREADS": "2", **(env or {})}, pass_fds=pass_fds) as one:
        yield one


@contextmanager
def running(command: list[str], *, env: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> Iterator[Served]:
    """A process that prints one line of JSON when it is ready; its standard error is read all the time."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(env), pass_fds=pass_fds
    ) as process:
        told: list[str] = []
        thread = threading.Thread(target=lambda: told.extend(iter(process.stderr.readline, "")), daemon=True)
        thread.start()
        try:
            line = process.stdout.readline()
            if not line:
                thread.join(10)
            assert line, "".join(told)
            ready = json.loads(line)
            assert {"url", "pid"} == set(ready)
            yield Served(ready["url"], process, told, ready["pid"])
        finally:
            process.kill()
            thread.join(10)


def form(*files: bytes, name: str = "file") -> tuple[bytes, str]:
    """A multipart body and its content type."""
    parts = [
        f'--limit\r\nContent-Disposition: form-data; name="{name}"; filename="{n}.png"\r\n\r\n'.encode()
        + file
        + b"\r\n"
        for n, file in enumerate(files)
    ]
    return b"".join(parts) + b"--limit--\r\n", "multipart/form-data; boundary=limit"
