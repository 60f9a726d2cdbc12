"""Core ML's reference interpreter beside PyTorch: drift, seconds a picture, size, of the mobile backbones in fp32.

The nets have random weights (nothing is downloaded), batch statistics of random pictures, and answers scaled so that
probabilities differ. Drift is over `PICTURES` random pictures of 224 px. How recipes do is measured on trained nets, by
`benchmarks/deploy.py`.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

NETS = (
    "resnet18",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "timm:mobilenetv4_conv_small",
    "efficientnet_b0",
    "convnext_tiny",
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "mnasnet1_0",
    "regnet_y_400mf",
    "densenet121",
    "timm:efficientnet_lite0",
    "timm:vit_tiny_patch16_224",
)
PICTURES, SIZE, CLASSES, SEED = 4, 224, 10, 0


def run(*, quick: bool, nets: tuple[str, ...] = NETS) -> None:
    """Print the table; `quick` takes the first net only."""
    import torch
    from torch import nn

    from nbdeploy import registry
    from nbdeploy.core.signature import Signature, Step
    from nbdeploy.exporting.graph import Deployable, Divide, Normalize, rewrite

    warnings.simplefilter("ignore")
    pictures = _pictures(PICTURES)
    print(f"{SIZE} px, {PICTURES} pictures, random weights; seconds of the interpreter, not of a device\n")
    print("| net | MB | max drift | mean drift | s a picture | conversion s |\n|---|---|---|---|---|---|")
    kind = registry.targets.load("coreml")
    for net in nets[:1] if quick else nets:
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        batch = torch.from_numpy(np.concatenate(pictures)).permute(0, 3, 1, 2).float()
        model = _model(net, (batch / 255 - mean) / deviation)
        whole = Deployable([Divide(255.0), Normalize(mean, deviation)], rewrite(model), nn.Softmax(1)).eval()
        exported = torch.export.export(whole, (torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8),))
        with torch.inference_mode():
            expected = np.stack([whole(torch.from_numpy(picture))[0].numpy() for picture in pictures])
        signature = Signature(
            width=SIZE,
            height=SIZE,
            channels=3,
            labels=tuple(str(n) for n in range(CLASSES)),
            steps=(Step(op="squish_resize", width=SIZE, height=SIZE),),
        )
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "model.mlpackage"
            target = kind()
            start = time.monotonic()
            target.lower(exported, signature, out)
            took = time.monotonic() - start
            if why := target.unable(out):
                print(f"| {net} | not run: {why} |", flush=True)
                continue
            answer = target.load(str(out), 1)
            start = time.monotonic()
            apart = np.abs(np.stack([answer(picture) for picture in pictures]) - expected)
            each = (time.monotonic() - start) / PICTURES
            size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
            print(
                f"| {net} | {size:.2f} | {apart.max():.2g} | {apart.mean():.2g} | {each:.2f} | {took:.0f} |", flush=True
            )


def _pictures(count: int) -> list[np.ndarray]:
    """uint8 [1, H, W, 3] of random colours, smooth enough to look like something."""
    from PIL import Image

    random = np.random.default_rng(SEED)
    small = [random.integers(0, 256, (9, 9, 3), dtype=np.uint8) for _ in range(count)]
    return [np.asarray(Image.fromarray(s).resize((SIZE, SIZE), Image.Resampling.BICUBIC))[None].copy() for s in small]


def _model(name: str, batch: Any) -> Any:
    """The net with random weights, whose answers to the pictures of `batch` (float NCHW, normalised) differ."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    library, _, bare = name.rpartition(":")
    if library == "timm":
        import timm

        model = timm.create_model(bare, pretrained=False, num_classes=CLASSES)
    else:
        import torchvision

        model = torchvision.models.get_model(bare, weights=None, num_classes=CLASSES)
    with torch.no_grad():
        model.train()
        for module in model.modules():  # batch statistics of these pictures, at once
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        model(batch)
        model.eval()
        answers = model(batch)
    spread = float(answers.std(dim=0).mean())

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.model(x) - answers.mean(dim=0)) * (2 / spread)

    return Scaled().eval()
