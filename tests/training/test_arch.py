"""Names of architectures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nbdeploy.errors import UnknownName
from nbdeploy.training.arch import IMAGENET, arch_names, find_arch


def test_names_come_from_both_libraries_in_order():
    names = arch_names()
    assert sorted(set(names)) == names
    assert {"mobilenet_v3_small", "vit_b_16", "mobilenetv4_conv_small"} <= set(names)
    assert "fasterrcnn_resnet50_fpn" not in names


def test_torchvision_wins_a_name_that_both_know_unless_told_otherwise():
    assert "torchvision" == find_arch("resnet18").library
    assert ("timm", "resnet18") == (find_arch("timm:resnet18").library, find_arch("timm:resnet18").name)
    assert "torchvision" == find_arch("torchvision:resnet18").library


def test_a_tag_picks_the_weights_of_timm():
    found = find_arch("test_resnet.r160_in1k")
    assert ("timm", ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), None) == (found.library, found.stats, found.side)


def test_networks_of_one_size_say_which():
    assert [None, 224, 160] == [find_arch(name).side for name in ("resnet18", "vit_b_16", "test_vit")]
    assert IMAGENET == find_arch("vit_b_16").stats


@pytest.mark.parametrize(
    "name", ["", "resnet", "test_resnet.nothing", "timm:vit_b_16", "torchvision:vit_tiny_patch16_224", "x:y:z"]
)
def test_refuses_names_that_neither_knows(name):
    with pytest.raises(UnknownName) as caught:
        find_arch(name)
    assert name == caught.value.name


def test_importing_the_train_package_loads_no_torch():
    heavy = "[m for m in ('torch', 'fastai', 'pandas') if m in sys.modules]"
    code = f"import sys, nbdeploy.training, nbdeploy.training.images; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
