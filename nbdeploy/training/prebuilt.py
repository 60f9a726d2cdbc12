"""pretrained(): a ready model with its labels, as a plain Learner that can be deployed with no training at all."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbdeploy.core.hush import hushed
from nbdeploy.data.imageset import ImageSet
from nbdeploy.errors import NbdeployError, NbdeployWarning, TrainError, UsageError
from nbdeploy.training.arch import Arch, Stats, find_arch, load_libraries, timm_config

if TYPE_CHECKING:
    from fastai.learner import Learner

Labels = Sequence[str] | str | Path
_SIZE = 224


@dataclass(frozen=True, slots=True)
class Card:
    """What published weights expect of a picture, and what their outputs mean."""

    labels: tuple[str, ...]
    """Empty where they are not known."""
    side: int
    """Of the square that the network sees, in pixels."""
    resize: int
    """Of what it is cut from."""
    method: Literal["crop", "squish", "pad"]
    bicubic: bool
    stats: Stats


def pretrained(
    arch: str,
    *,
    images: ImageSet | str | Path | None = None,
    weights: str | Path | None = None,
    labels: Labels | None = None,
    seed: int = 42,
) -> Learner:
    """A model with published weights, or with yours, as a fastai Learner that `deploy` takes as it is.

    `arch` is any name of torchvision or timm that has weights (``timm:NAME`` where both know it). Labels, size, crop,
    interpolation and normalisation are those that the weights were published with. `weights` is a file of your own
    (.pth, .pt or .safetensors; read without running code from it) for that architecture, `labels` its classes in
    output order, or a text file with one a line.

    `images` (an ImageSet, or a folder of pictures) are what a deployed model is compared on, and calibrated with. Where
    all of them lie in folders named as labels, they give the accuracy too; else they are pictures without truth.
    Without `images`, made-up pictures stand in, and a NbdeployWarning says so: the answers can be compared, accuracy
    is not run.

    Raises UnknownName, WeightsUnavailable, UsageError, DataError, and TrainError for weights that do not fit.
    """
    load_libraries()
    found = find_arch(arch)
    card = card_of(found)
    names = _labels(labels) or card.labels
    with hushed():
        from nbdeploy.training import prebuiltdata  # noqa: PLC0415 - fastai takes seconds

    if not names:
        raise UsageError(
            f"The labels of {found.name}'s weights are not known.",
            hint='Give them: labels=["cat", "dog"] or a text file.',
        )
    model = _own(found, Path(weights), names) if weights is not None else _published(found, names)
    if images is None:
        warnings.warn(
            f"No pictures were given: a deployed {found.name} is compared with this one on made-up pictures, and its "
            "accuracy is not known. To compare on your own: images=FOLDER (--images FOLDER).",
            NbdeployWarning,
            stacklevel=2,
        )
    return prebuiltdata.learner(model, found.name, card, names, images, seed=seed)


def card_of(arch: Arch) -> Card:
    """What is published of the weights of `arch`, read without loading them."""
    if arch.library == "timm":
        return _timm_card(arch)
    from torchvision.models import get_model_weights  # noqa: PLC0415 - seconds

    entries = list(get_model_weights(arch.name))
    if not entries:
        return Card((), arch.side or _SIZE, arch.side or _SIZE, "crop", bicubic=False, stats=arch.stats)
    entry = get_model_weights(arch.name)["DEFAULT"]  # an alias, which list() leaves out
    made = entry.transforms()
    return Card(
        unique(entry.meta.get("categories") or ()),
        made.crop_size[0],
        made.resize_size[0],
        "crop",
        bicubic=made.interpolation.value == "bicubic",
        stats=(tuple(made.mean), tuple(made.std)),
    )


def _timm_card(arch: Arch) -> Card:
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset  # noqa: PLC0415 - seconds

    config = timm_config(arch.name)
    if config is None:
        return Card((), arch.side or _SIZE, arch.side or _SIZE, "crop", bicubic=True, stats=arch.stats)
    side = config.input_size[-1]
    labels: tuple[str, ...] = tuple(config.label_names or ())
    subset = infer_imagenet_subset(config)
    if not labels and subset:
        info = ImageNetInfo(subset)
        full = [info.index_to_description(n) for n in range(info.num_classes())]
        short = [text.partition(",")[0] for text in full]
        labels = tuple(long if short.count(name) > 1 else name for name, long in zip(short, full, strict=True))
    return Card(
        unique(labels),
        side,
        int(side / (config.crop_pct or 1.0)),
        {"squash": "squish", "border": "pad"}.get(config.crop_mode, "crop"),  # type: ignore[arg-type] # one of the three
        bicubic=config.interpolation == "bicubic",
        stats=arch.stats,
    )


def unique(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, those that repeat numbered: ImageNet has two cranes."""
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return tuple(found)


def _labels(labels: Labels | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    if isinstance(labels, str | Path):
        try:
            labels = [line for line in Path(labels).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{labels} cannot be read as a list of labels ({error}).", hint="One label a line."
            ) from error
    if len(set(labels)) < 2 or len(set(labels)) != len(labels):  # noqa: PLR2004 - a choice needs two
        raise UsageError("labels holds fewer than two, or one twice.", hint="Give each class once, in output order.")
    return tuple(map(str, labels))


def _published(arch: Arch, labels: Sequence[str]) -> Any:
    from nbdeploy.training.weights import fetching  # noqa: PLC0415

    with _named(arch), redirect_stdout(sys.stderr), hushed(), _no_pickle(), fetching(arch):
        if arch.library == "timm":
            import timm  # noqa: PLC0415

            model = timm.create_model(arch.name, pretrained=True)
        else:
            from torchvision.models import get_model_builder  # noqa: PLC0415

            model = get_model_builder(arch.name)(weights="DEFAULT")
    _check_outputs(model, arch, labels)
    return model


def _own(arch: Arch, path: Path, labels: Sequence[str]) -> Any:
    """The network with the weights of a file, which has an output for each of `labels`."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", hint="weights is a .pth, .pt or .safetensors file.")
    with _named(arch), hushed():
        if arch.library == "timm":
            import timm  # noqa: PLC0415

            model = timm.create_model(arch.name, pretrained=False, num_classes=len(labels))
        else:
            from torchvision.models import get_model_builder  # noqa: PLC0415

            model = get_model_builder(arch.name)(weights=None, num_classes=len(labels))
    try:
        model.load_state_dict(_state(path))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise TrainError(
            f"The weights in {path} are not those of {arch.name} with {len(labels)} labels: {first}",
            hint="Name the architecture that they were trained with, and all of its labels.",
        ) from error
    return model


def _state(path: Path) -> dict[str, Any]:
    """The parameters in a file, also where they are wrapped as training scripts do. Nothing in the file is run."""
    import torch  # noqa: PLC0415

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # noqa: PLC0415 - comes with timm

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise TrainError(
            f"{path} cannot be read as weights ({type(error).__name__}: {str(error).splitlines()[0][:200]}).",
            hint="Save them with torch.save(model.state_dict(), ...) or as .safetensors; files with code are refused.",
        ) from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        raise TrainError(f"{path} holds no parameters.", hint="Save them with torch.save(model.state_dict(), ...).")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def _check_outputs(model: Any, arch: Arch, labels: Sequence[str]) -> None:
    from torch import nn  # noqa: PLC0415

    last = [part for part in model.modules() if isinstance(part, nn.Linear)]
    outputs = last[-1].out_features if last else len(labels)
    if arch.library == "timm" and model.num_classes != len(labels):
        outputs = model.num_classes
    if outputs != len(labels):
        raise UsageError(
            f"{arch.name} has {outputs} outputs and {len(labels)} labels were given.",
            hint="Give one label for each output, in their order.",
        )


@contextmanager
def _named(arch: Arch) -> Iterator[None]:
    try:
        yield
    except NbdeployError:
        raise
    except Exception as error:
        raise TrainError(
            f"{arch.name} cannot be built so ({type(error).__name__}: {' '.join(str(error).split())[:200]}).",
            hint="Choose another arch.",
        ) from error


@contextmanager
def _no_pickle() -> Iterator[None]:
    """Torch's own switch, for the block: files of weights are read without running code, whoever asks for them."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
