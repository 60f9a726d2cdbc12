"""Pretrained weights: from the cache, from the network, or a quick and clear no."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies

from nbdeploy.errors import WeightsUnavailable
from nbdeploy.training.arch import Arch, timm_config

_CONNECT_S = 5.0
"""How long a host may take to answer before it counts as out of reach."""
_NETWORK_PACKAGES = ("httpcore", "httpx", "huggingface_hub", "requests", "urllib3")


@contextmanager
def fetching(arch: Arch) -> Iterator[None]:
    """Build a pretrained model inside the block. Raises WeightsUnavailable where its weights cannot be had.

    Weights in the cache are taken without asking the network, and a host out of reach is noticed in seconds: left to
    itself the hub's client repeats its question for most of a minute, and torch's waits without limit.
    """
    cached, host = _place(arch)
    if not cached and not _answers(host):
        _refuse(arch, f"{host} cannot be reached")
    try:
        with _hub_offline(cached):
            yield
    except OSError as error:  # a URLError, an HTTPError and the hub's errors are OSErrors
        _refuse(arch, f"{type(error).__name__}: {error}", error)
    except Exception as error:
        if not type(error).__module__.startswith(_NETWORK_PACKAGES):
            raise
        _refuse(arch, f"{type(error).__name__}: {error}", error)


def _refuse(arch: Arch, why: str, error: BaseException | None = None) -> NoReturn:
    raise WeightsUnavailable(
        f"The pretrained weights of {arch.name} cannot be had ({why.splitlines()[0]}).",
        hint="Type pretrained=False (--from-scratch) to train without them, or connect to the internet once: "
        "they are kept for later.",
    ) from error


def _place(arch: Arch) -> tuple[bool, str]:
    """Whether the weights are on this machine, and the host that has them."""
    if arch.library == "torchvision":
        from torchvision.models import get_model_weights  # noqa: PLC0415 - seconds

        urls = [entry.url for entry in get_model_weights(arch.name)]
        if not urls:
            _refuse(arch, "torchvision has none")
        return any(map(_in_torch_cache, urls)), str(urlsplit(urls[0]).hostname)
    config = timm_config(arch.name)
    if config is None or not config.has_weights:
        _refuse(arch, "timm has none")
    if config.hf_hub_id:
        from huggingface_hub import constants  # noqa: PLC0415

        return _in_hub_cache(config.hf_hub_id, config.hf_hub_filename), str(urlsplit(constants.ENDPOINT).hostname)
    return not config.url or _in_torch_cache(config.url), str(urlsplit(config.url or "").hostname)


def _in_torch_cache(url: str) -> bool:
    from torch.hub import get_dir  # noqa: PLC0415 - seconds

    return (Path(get_dir()) / "checkpoints" / Path(urlsplit(url).path).name).is_file()


def _in_hub_cache(repo: str, filename: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

    names = [filename] if filename else ["model.safetensors", "pytorch_model.bin"]
    repo, _, revision = repo.partition("@")
    return any(isinstance(try_to_load_from_cache(repo, name, revision=revision or None), str) for name in names)


def _answers(host: str) -> bool:
    if getproxies().get("https"):
        return True  # the proxy knows names that this machine does not; let the client ask it
    try:
        socket.create_connection((host, 443), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True


@contextmanager
def _hub_offline(on: bool) -> Iterator[None]:
    """The hub's own offline switch, for the block: what is in the cache is taken as it is."""
    from huggingface_hub import constants  # noqa: PLC0415

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or on
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
