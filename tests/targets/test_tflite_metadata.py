"""Metadata inside a .tflite file, on a model of a few bytes that is built here."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from nbdeploy.core.signature import Signature, Step
from nbdeploy.targets.tflite_metadata import KEY, add_metadata

SIGNATURE = Signature(
    width=2,
    height=1,
    channels=3,
    labels=("red apple", "grün 🍏"),
    steps=(Step(op="squish_resize", width=2, height=1),),
    graph=("divided by 255",),
)
TABLE = np.arange(30, dtype=np.float32)


def tiny(*, outside: bool = False) -> bytes:
    """A model of one ADD: its input and `TABLE`; with `outside` the table's bytes lie behind the flatbuffer."""
    from ai_edge_litert.schema_py_generated import BufferT, ModelT, OperatorCodeT, OperatorT, SubGraphT, TensorT

    model, graph = ModelT(), SubGraphT()
    model.version, model.description = 3, "tiny"
    model.buffers = [BufferT(), BufferT()]
    if outside:
        model.buffers[1].offset = model.buffers[1].size = 1
    else:
        model.buffers[1].data = np.frombuffer(TABLE.tobytes(), dtype=np.uint8)
    for name, buffer in (("image", 0), ("table", 1), ("probabilities", 0)):
        tensor = TensorT()
        tensor.name, tensor.buffer, tensor.shape, tensor.type = name, buffer, [30], schema.TensorType.FLOAT32
        graph.tensors = [*(graph.tensors or []), tensor]
    code, operator = OperatorCodeT(), OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    code.version = 1
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    model.operatorCodes, model.subgraphs = [code], [graph]

    def packed() -> bytes:
        build = flatbuffers.Builder(1024)
        build.Finish(model.Pack(build), b"TFL3")
        return bytes(build.Output())

    if not outside:
        return packed()
    start = -(-len(packed()) // 16) * 16
    model.buffers[1].offset, model.buffers[1].size = start, TABLE.nbytes
    return packed().ljust(start, b"\0") + TABLE.tobytes()


def run(content: bytes) -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones(30, dtype=np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.fixture(params=[False, True], ids=["inside", "outside"])
def model(request: Any, tmp_path: Path) -> Path:
    place = tmp_path / "model.tflite"
    place.write_bytes(tiny(outside=request.param))
    return place


def test_the_model_computes_what_it_did(model: Path) -> None:
    before = run(model.read_bytes())
    add_metadata(model, SIGNATURE, "apples")
    assert np.array_equal(TABLE + 1, before)
    assert np.array_equal(before, run(model.read_bytes()))


def test_weights_that_lay_behind_the_model_are_taken_inside_where_old_runtimes_look(model: Path) -> None:
    add_metadata(model, SIGNATURE, "apples")
    read = schema.Model.GetRootAs(model.read_bytes(), 0)
    assert [0] * read.BuffersLength() == [read.Buffers(i).Offset() for i in range(read.BuffersLength())]
    assert TABLE.tobytes() == read.Buffers(1).DataAsNumpy().tobytes()


def test_weights_keep_to_multiples_of_sixteen_bytes(model: Path) -> None:
    before = _where(model.read_bytes())
    add_metadata(model, SIGNATURE, "apples")
    after = _where(model.read_bytes())
    assert after % 16 == (before % 16 if before else 0)


def _where(content: bytes) -> int:
    """Where the table's bytes begin; 0 where they are behind the model."""
    buffer = schema.Model.GetRootAs(content, 0).Buffers(1)
    return 0 if buffer.DataIsNone() else buffer._tab.Vector(buffer._tab.Offset(4))


def test_all_else_of_the_model_stays(model: Path) -> None:
    add_metadata(model, SIGNATURE, "apples")
    content = model.read_bytes()
    read = schema.Model.GetRootAs(content, 0)
    assert b"TFL3" == content[4:8]
    assert (3, b"tiny", 1, 1) == (
        read.Version(),
        read.Description(),
        read.SubgraphsLength(),
        read.OperatorCodesLength(),
    )


def test_labels_lie_in_the_file_as_its_format_has_them(model: Path) -> None:
    add_metadata(model, SIGNATURE, "apples")
    with zipfile.ZipFile(io.BytesIO(model.read_bytes())) as files:
        assert ["labels.txt"] == files.namelist()
        assert "red apple\ngrün 🍏\n" == files.read("labels.txt").decode()


def test_the_metadata_is_a_flatbuffer_of_its_own_that_names_what_an_app_needs(model: Path) -> None:
    add_metadata(model, SIGNATURE, "apples")
    read = schema.Model.GetRootAs(model.read_bytes(), 0)
    assert [KEY.encode()] == [read.Metadata(i).Name() for i in range(read.MetadataLength())]
    content = read.Buffers(read.Metadata(0).Buffer()).DataAsNumpy().tobytes()
    assert b"M001" == content[4:8]
    for text in ("apples", "image", "probabilities", "divided by 255", "labels.txt"):
        assert text.encode() in content


def test_the_same_model_gives_the_same_bytes_and_a_second_time_adds_no_second_entry(model: Path) -> None:
    start = model.read_bytes()
    add_metadata(model, SIGNATURE, "apples")
    once = model.read_bytes()
    model.write_bytes(start)
    add_metadata(model, SIGNATURE, "apples")
    assert once == model.read_bytes()
    add_metadata(model, SIGNATURE, "pears")
    read = schema.Model.GetRootAs(model.read_bytes(), 0)
    assert 1 == read.MetadataLength()
    assert ["labels.txt"] == zipfile.ZipFile(model).namelist()
    assert b"pears" in read.Buffers(read.Metadata(0).Buffer()).DataAsNumpy().tobytes()
    assert np.array_equal(TABLE + 1, run(model.read_bytes()))
