"""Pretrained weights that can be had, and those that cannot."""

from __future__ import annotations

from urllib.error import URLError

import pytest

from nbdeploy.errors import WeightsUnavailable
from nbdeploy.training import weights
from nbdeploy.training.arch import find_arch
from nbdeploy.training.weights import fetching

NETWORKS = ["resnet18", "test_resnet.r160_in1k"]


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(weights.socket, "create_connection", refuse)
    monkeypatch.setattr(weights, "getproxies", dict)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("offline")
def test_offline_names_the_network_and_the_way_without_weights(name):
    with pytest.raises(WeightsUnavailable, match=name) as caught, fetching(find_arch(name)):
        pytest.fail("the host does not answer, so nothing is asked of it")
    assert "pretrained=False" in caught.value.hint
    assert "--from-scratch" in caught.value.hint


@pytest.mark.parametrize(
    "error", [URLError("name not known"), FileNotFoundError("not in the cache"), TimeoutError("too slow")]
)
def test_a_download_that_fails_is_said_in_one_line(monkeypatch, error):
    monkeypatch.setattr(weights, "_answers", lambda _: True)
    with pytest.raises(WeightsUnavailable, match="resnet18") as caught, fetching(find_arch("resnet18")):
        raise error
    assert error is caught.value.__cause__


def test_a_fault_that_is_not_of_the_network_goes_through(monkeypatch):
    monkeypatch.setattr(weights, "_answers", lambda _: True)
    with pytest.raises(ZeroDivisionError), fetching(find_arch("resnet18")):
        raise ZeroDivisionError


def test_ctrl_c_goes_through(monkeypatch):
    monkeypatch.setattr(weights, "_answers", lambda _: True)
    with pytest.raises(KeyboardInterrupt), fetching(find_arch("resnet18")):
        raise KeyboardInterrupt


def test_a_network_without_published_weights_says_so():
    with pytest.raises(WeightsUnavailable, match="timm has none"), fetching(find_arch("test_coatnet")):
        pytest.fail("there is nothing to fetch")


@pytest.mark.usefixtures("offline")
def test_weights_in_the_cache_are_taken_without_the_network(tmp_path, monkeypatch):
    from huggingface_hub import constants
    from torchvision.models import ResNet18_Weights

    kept = tmp_path / "hub" / "checkpoints" / ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    kept.parent.mkdir(parents=True)
    kept.touch()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with fetching(find_arch("resnet18")):
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
