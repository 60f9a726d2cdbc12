"""Every target and recipe for a large and a mobile net.

Size, agreement, drift, latency beside PyTorch in the same run, and the time of nd.deploy's conversion beside the bare
converter's, each in a process of its own. A row that fails says why, and the others go on. Latency of the pages' models
is that of the native runtime on the same file; the pages themselves are timed by `benchmarks/web.py`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

# The converters called with nothing around them: what a person would write by hand.
BARE = {
    "tflite": """
import sys, torch, litert_torch
graph = torch.export.load(sys.argv[1]).module()
example = torch.zeros(eval(sys.argv[3]), dtype=torch.uint8)
litert_torch.convert(graph, (example,)).export(sys.argv[2])
""",
    "onnx": """
import sys, torch
program = torch.export.load(sys.argv[1])
example = torch.zeros(eval(sys.argv[3]), dtype=torch.uint8)
torch.onnx.export(program, (example,), sys.argv[2], dynamo=True, external_data=False)
""",
    "executorch": """
import sys, torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
program = torch.export.load(sys.argv[1])
to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().save(sys.argv[2])
""",
    "openvino": """
import sys
sys.modules["openvino_telemetry"] = None
import openvino, torch
openvino.save_model(openvino.convert_model(torch.export.load(sys.argv[1])), sys.argv[2], compress_to_fp16=False)
""",
    "torch": """
import sys, torch
torch.export.save(torch.export.load(sys.argv[1]), sys.argv[2])
""",
}
NETS = {"resnet18": 3, "mobilenet_v3_small": 8}
SIZE = 64


def run(*, quick: bool) -> None:
    """Print the table."""
    import nbdeploy as nd
    from nbdeploy import registry
    from nbdeploy.core.progress import quiet

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, quiet():
        work = Path(folder)
        images = nd.ImageSet.from_folder(nd.dataset("digits", work / "digits"))
        print(f"digits, {SIZE} px, {len(images.valid)} held-out files; latency: model alone, median, 1 thread\n")
        print(
            "| net | target | recipe | MB | accuracy | agreement | max drift | mean drift | ms | PyTorch ms | ratio "
            "| conversion s | bare s | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        )
        for net, epochs in NETS.items():
            learn = nd.train(images, arch=net, epochs=1 if quick else epochs, size=SIZE, pretrained=False, flip=False)
            program = nd.export(learn)
            for target in registry.targets.own:
                bare = _bare(target, program, work)
                for recipe in registry.targets.load(target).recipes:
                    print(_tried(net, program, target, recipe, work=work, bare=bare, quick=quick), flush=True)


def _tried(net: str, program: Any, target: str, recipe: str, *, work: Path, bare: float | None, quick: bool) -> str:
    """The row of one bundle, or of what went wrong."""
    import nbdeploy as nd

    try:
        bundle = nd.deploy(
            program,
            target=target,
            recipe=recipe,
            out=work / f"{net}-{target}-{recipe}",
            latency_runs=20 if quick else 200,
            accept_failed="a benchmark shows failures too",
        )
        return _row(net, bundle, bare)
    except Exception as error:  # noqa: BLE001 - one failing row must not lose the others
        return f"| {net} | {target} | {recipe} | {' '.join(str(error).split())} |"


def _bare(target: str, program: Any, work: Path) -> float | None:
    """Seconds of the bare converter, imports included, as nd.deploy's conversion time counts them.

    None where it fails, or where there is none to compare with: Core ML's takes this graph only after it was prepared,
    and a page's is that of its model.
    """
    import torch

    from nbdeploy import registry

    if target not in BARE:
        return None
    saved = work / "bare.pt2"
    torch.export.save(program.exported, saved)
    command = [
        sys.executable,
        "-c",
        BARE[target],
        str(saved),
        str(work / f"bare{registry.targets.load(target).suffix}"),
        str(program.signature.shape),
    ]
    start = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True)
    return None if done.returncode else time.monotonic() - start


def _row(net: str, bundle: Any, bare: float | None) -> str:
    m = bundle.report.metrics
    verdict = "" if bundle.report.ok else f" (failed: {', '.join(check.name for check in bundle.report.failed)})"
    took, original, converted = m.get("latency_ms_p50"), m.get("latency_ms_p50_original"), m["conversion_s"]
    cells = (
        net,
        bundle.target,
        bundle.recipe + verdict,
        f"{m['size_bytes'] / 1e6:.2f}",
        f"{m['accuracy_deployed']:.2%}",
        f"{m['top1_agreement']:.2%}",
        f"{m['max_abs_diff']:.2g}",
        f"{m['mean_abs_diff']:.2g}",
        _figure(took, 2),
        _figure(original, 2),
        _figure(took and took / original, 2),
        _figure(converted, 1),
        _figure(bare, 1),
        _figure(bare and converted / bare, 2),
    )
    return f"| {' | '.join(cells)} |"


def _figure(value: float | None, digits: int) -> str:
    """A dash for what was not taken."""
    return "–" if value is None else f"{value:.{digits}f}"
