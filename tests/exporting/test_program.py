"""Programs are saved and loaded without pickle, and a hostile file is refused before anything in it runs."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nbdeploy as nd
from nbdeploy.errors import BundleError, IntegrityError, OutputError
from nbdeploy.exporting.program import save_exported


@pytest.fixture(scope="module")
def program(conv_learner: Any) -> nd.Program:
    return nd.export(conv_learner, name="colours")


@pytest.fixture
def saved(program: nd.Program, tmp_path: Path) -> Path:
    return program.save(tmp_path / "model")


def test_a_saved_program_comes_back_the_same(program: nd.Program, saved: Path) -> None:
    again = nd.Program.load(saved)
    assert program.signature == again.signature
    assert program.reference.held_out == again.reference.held_out
    assert program.reference.fingerprint == again.reference.fingerprint
    assert np.array_equal(program.reference.probabilities, again.reference.probabilities)
    pixels = np.random.default_rng(0).integers(0, 256, program.signature.shape, dtype=np.uint8)
    assert np.array_equal(program.runner()(pixels), again.runner()(pixels))
    assert "colours" == again.name


def test_an_existing_folder_is_not_overwritten_unasked(program: nd.Program, saved: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        program.save(saved)
    program.save(saved, overwrite=True)
    assert nd.Program.load(saved)


def test_a_changed_file_is_noticed(saved: Path) -> None:
    path = saved / "signature.json"
    path.write_text(path.read_text(encoding="utf-8").replace("blue", "bleu"), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"signature\.json"):
        nd.Program.load(saved)


def test_a_folder_that_holds_no_program_is_said_to_hold_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no exported model"):
        nd.Program.load(tmp_path)
    (tmp_path / "program.json").write_text("[]")
    with pytest.raises(BundleError, match="cannot be read"):
        nd.Program.load(tmp_path)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> Any:
        return (open, (self.mark, "w"))


def _with(saved: Path, change: Any) -> None:
    """Rewrite program.pt2 member by member and mend its hash, as an attacker would."""
    old = (saved / "program.pt2").read_bytes()
    new = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(old)) as source, zipfile.ZipFile(new, "w") as sink:
        for name in source.namelist():
            for member, data in change(name, source.read(name)):
                sink.writestr(member, data)
    (saved / "program.pt2").write_bytes(new.getvalue())
    from nbdeploy.core.files import sha256_of

    about = json.loads((saved / "program.json").read_text())
    about["files"]["program.pt2"] = sha256_of(saved / "program.pt2")
    (saved / "program.json").write_text(json.dumps(about))


def test_a_pickle_in_the_example_inputs_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    bomb = io.BytesIO()
    torch.save(Bomb(mark), bomb)
    _with(saved, lambda name, data: [(name, bomb.getvalue() if "/sample_inputs/" in name else data)])
    with pytest.raises(BundleError):
        nd.Program.load(saved)
    assert not mark.exists()


def test_a_pickled_constant_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    def change(name: str, data: bytes) -> Any:
        if name.endswith("model_constants_config.json"):
            entry = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
            folder = name.rpartition("/")[0]
            return [
                (name, json.dumps({"config": {"x": entry}}).encode()),
                (f"{folder}/custom_obj_0", pickle.dumps(Bomb(mark))),
            ]
        return [(name, data)]

    _with(saved, change)
    with pytest.raises(BundleError, match="is refused"):
        nd.Program.load(saved)
    assert not mark.exists()


def test_a_torn_file_is_a_clear_error(saved: Path) -> None:
    _with(saved, lambda name, data: [] if "model.json" in name else [(name, data)])
    with pytest.raises(BundleError, match="cannot be loaded"):
        nd.Program.load(saved)


def test_what_a_person_sees_says_what_goes_in_and_out(program: nd.Program) -> None:
    assert "32x32x3 -> 3 labels" in repr(program)
    assert "uint8 [1, 32, 32, 3]" in program._repr_html_()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here plays a full disk")
def test_a_full_disk_is_an_error_and_does_not_end_the_process(program: nd.Program) -> None:
    with pytest.raises(OSError, match="No space left"):
        save_exported(program.exported, Path("/dev/full"))
