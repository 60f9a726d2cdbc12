"""The bundle that is served, and the picture that is sent."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import environments
from benchmarks.serving.engines import Upload

NET = "mobilenetv2_100"
SIZE = 224
LABELS = 10
PICTURE = (640, 480)
KILOBYTES = 57
BOUNDARY = "----nbdeploy-bench"


def uploads(work: Path) -> tuple[Upload, Upload]:
    """The same picture as the body, and in a form's field named file."""
    plain, form = work / "picture.jpg", work / "picture.form"
    plain.write_bytes(photograph())
    form.write_bytes(_form(plain.read_bytes()))
    return Upload(plain, "image/jpeg"), Upload(form, f"multipart/form-data; boundary={BOUNDARY}")


def photograph() -> bytes:
    """A JPEG of 640 x 480 with about as many bytes as a photograph of that size: soft shapes with grain on them."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    soft = np.asarray(small.resize(PICTURE, Image.Resampling.BICUBIC), dtype=np.float32)
    image = Image.fromarray(np.clip(soft + random.normal(0, 8, soft.shape), 0, 255).astype(np.uint8))

    def saved(quality: int) -> bytes:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        return out.getvalue()

    return min((saved(quality) for quality in range(30, 96)), key=lambda data: abs(len(data) - 1000 * KILOBYTES))


def _form(picture: bytes) -> bytes:
    """A multipart body with the picture as its field `file`."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="picture.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def bundle_in(work: Path) -> Path:
    """A cloud bundle with the endpoint and host code as they are now. The model is made once and kept in the cache."""
    from nbdeploy.targets.cloud import CloudTarget, server_code
    from nbdeploy.targets.package import host_code

    kept = environments.place(f"serve-{NET}-{SIZE}")
    if not kept.is_dir():
        _make(kept)
    bundle = work / "bundle"
    shutil.copytree(kept, bundle)
    for folder, code in (("server", server_code()), ("python", host_code(CloudTarget))):
        for file, source in code.items():
            shutil.copyfile(source, bundle / "app" / folder / file)
    return bundle


def _make(place: Path) -> None:
    from fastai.vision.all import ImageDataLoaders, Resize, vision_learner
    from PIL import Image

    import nbdeploy as nd
    from nbdeploy.core.progress import quiet

    print(f"making the model in {place}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, quiet():
        picture = Image.open(io.BytesIO(photograph()))
        for label in range(LABELS):
            for number, part in enumerate(("train", "valid")):
                where = Path(folder) / part / f"label {label}"
                where.mkdir(parents=True)
                picture.rotate(36 * label + 18 * number).save(where / "picture.jpg")
        dls = ImageDataLoaders.from_folder(folder, item_tfms=Resize(SIZE), bs=2, num_workers=0)
        nd.deploy(
            vision_learner(dls, NET, pretrained=False),
            target="cloud",
            out=place,
            name=NET,
            latency_runs=0,
            samples=2,
            accept_failed="random weights answer at random",
        )
