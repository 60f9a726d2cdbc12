"""The torch target."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy.core.recipe import RECIPES
from nbdeploy.targets.torch import TorchTarget
from nbdeploy.templates.python.runtimes.torch import Refused, load
from tests.targets.contract import TargetContract


@pytest.mark.slow
class TestTorch(TargetContract):
    """Held to what every target promises."""

    target = "torch"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> Any:
        return (open, (self.mark, "w"))


@pytest.fixture(scope="module")
def program(conv_learner: Any) -> nd.Program:
    return nd.export(conv_learner)


@pytest.fixture
def model(program: nd.Program, tmp_path: Path) -> Path:
    """A .pt2 file that is as it should be."""
    TorchTarget().lower(program.exported, program.signature, tmp_path / "model.pt2")
    return tmp_path / "model.pt2"


def _rewrite(model: Path, change: Any) -> None:
    new = io.BytesIO()
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(new, "w") as sink:
        for name in source.namelist():
            for member, data in change(name, source.read(name)):
                sink.writestr(member, data)
    model.write_bytes(new.getvalue())


def test_a_loaded_model_leaves_the_threads_of_the_process_as_they_are(model: Path) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)  # what another part of the notebook chose
        load(str(model), 0)
        assert 3 == torch.get_num_threads()
        load(str(model), 1)
        assert 1 == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def test_the_code_of_a_bundle_refuses_a_pickled_constant_and_runs_nothing(model: Path, tmp_path: Path) -> None:
    import pickle

    mark = tmp_path / "ran"

    def change(name: str, data: bytes) -> Any:
        if not name.endswith("model_constants_config.json"):
            return [(name, data)]
        entry = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        folder = name.rpartition("/")[0]
        return [
            (name, json.dumps({"config": {"x": entry}}).encode()),
            (f"{folder}/custom_obj_0", pickle.dumps(Bomb(mark))),
        ]

    assert load(str(model), 1)(np.zeros((1, 32, 32, 3), np.uint8)).shape == (3,)
    _rewrite(model, change)
    with pytest.raises(Refused, match="pickle"):
        load(str(model), 1)
    assert not mark.exists()


def test_the_code_of_a_bundle_refuses_a_pickled_example_and_runs_nothing(model: Path, tmp_path: Path) -> None:
    import torch

    mark, bomb = tmp_path / "ran", io.BytesIO()
    torch.save(Bomb(mark), bomb)
    _rewrite(model, lambda name, data: [(name, bomb.getvalue() if "/sample_inputs/" in name else data)])
    with pytest.raises(Exception, match="[Ww]eights"):
        load(str(model), 1)
    assert not mark.exists()


@pytest.mark.parametrize(("recipe", "bytes_a_weight"), [("fp16", 2), ("dynamic_int8", 1)])
def test_weights_are_stored_smaller(program: nd.Program, tmp_path: Path, recipe: str, bytes_a_weight: int) -> None:
    import torch

    target, base, small = TorchTarget(), tmp_path / "base.pt2", tmp_path / "model.pt2"
    target.lower(program.exported, program.signature, base)
    target.shrink(base, small, RECIPES[recipe], None, program.signature)
    held = torch.export.load(small).state_dict
    matrices = [value for value in held.values() if value.dim() > 1 and value.numel() > value.shape[0]]
    assert 3 == len(matrices)
    assert {bytes_a_weight} == {value.element_size() for value in matrices}
