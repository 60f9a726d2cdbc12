"""Metadata inside a .tflite file: what ML Kit and MediaPipe Tasks need to run it with no code about this model.

The file's root table is written anew, in front of the old content, with one more buffer: a flatbuffer of its own
("M001", metadata_schema.fbs of TensorFlow Lite) that names input, output and labels. labels.txt follows the model as a
ZIP archive, which that format calls an associated file. Weights stay where they are, bit for bit.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbdeploy.core.signature import Signature

KEY = "TFLITE_METADATA"
LABELS = "labels.txt"
_ALIGNED = 16
_MOST_BYTES = 2**31 - 2**16  # a flatbuffer's own limit

# Numbers of the two schemas: enumerated values and fields of tables, in the order of their definitions.
_RGB, _GRAYSCALE, _AXIS_LABELS, _IMAGE_PROPERTIES, _NORMALIZATION = 1, 2, 2, 2, 1
_MODEL_FIELDS = {
    "operators": 1,
    "subgraphs": 2,
    "description": 3,
    "buffers": 4,
    "old": 5,
    "metadata": 6,
    "signatures": 7,
}


def add_metadata(model: Path, signature: Signature, name: str) -> None:
    """Write metadata and labels into the file `model`, in the place of any that it has. The same bytes each time."""
    content = _with_metadata(_without_archive(model.read_bytes()), describe(signature, name))
    if content is not None:
        archive = io.BytesIO(content)
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_STORED) as files:
            entry = zipfile.ZipInfo(LABELS, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            files.writestr(entry, "\n".join(signature.labels) + "\n")
        model.write_bytes(archive.getvalue())


def _without_archive(content: bytes) -> bytes:
    """The model without the associated files behind it."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        return content[: min((entry.header_offset for entry in files.infolist()), default=len(content))]


def describe(signature: Signature, name: str) -> bytes:
    """The metadata's own flatbuffer: names, sizes, colour, that pixels need no normalising, where the labels are."""
    import flatbuffers  # noqa: PLC0415 - comes with ai-edge-litert

    build = flatbuffers.Builder(1024)
    channels = signature.channels
    picture = _table(
        build,
        {
            0: ("Int8", _RGB if channels == 3 else _GRAYSCALE),  # noqa: PLR2004 - red, green, blue
            1: _table(build, {0: ("Uint32", signature.width), 1: ("Uint32", signature.height)}),
        },
    )
    pixels = _table(
        build,
        {
            0: build.CreateString(signature.input_name),
            1: build.CreateString("; ".join(("The picture as uint8, 0 to 255", *signature.graph))),
            3: _table(build, {0: ("Uint8", _IMAGE_PROPERTIES), 1: picture}),
            4: _offsets(build, [_table(build, {0: ("Uint8", _NORMALIZATION), 1: _pair(build, [0.0], [1.0])})]),
            5: _pair(build, [255.0] * channels, [0.0] * channels),
        },
    )
    labels = _table(
        build,
        {
            0: build.CreateString(LABELS),
            1: build.CreateString("One label a line, in output order"),
            2: ("Int8", _AXIS_LABELS),
        },
    )
    scores = _table(
        build,
        {
            0: build.CreateString(signature.output_name),
            1: build.CreateString("The probability of each label; they sum to 1"),
            3: _table(build, {0: ("Uint8", 1), 1: _table(build, {})}),
            5: _pair(build, [1.0], [0.0]),
            6: _offsets(build, [labels]),
        },
    )
    graph = _table(build, {2: _offsets(build, [pixels]), 3: _offsets(build, [scores])})
    root = _table(
        build,
        {
            0: build.CreateString(name),
            1: build.CreateString(f"Which of {len(signature.labels)} labels a picture is"),
            3: _offsets(build, [graph]),
            7: build.CreateString("1.0.0"),
        },
    )
    build.Finish(root, file_identifier=b"M001")
    return bytes(build.Output())


def _with_metadata(old: bytes, added: bytes) -> bytes | None:
    """The model with one more buffer, named `KEY`; None where it is too large for a flatbuffer of one piece."""
    import flatbuffers  # noqa: PLC0415
    from ai_edge_litert.schema_py_generated import Model  # noqa: PLC0415

    model = Model.GetRootAs(old, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    # Some tools put large weights behind the flatbuffer. Only new runtimes find them there, so they are taken inside.
    outside = {i: old[b.Offset() : b.Offset() + b.Size()] for i, b in enumerate(buffers) if b.Offset() > 1}
    kept = old[: min((buffers[i].Offset() for i in outside), default=len(old))]
    if len(kept) + sum(map(len, outside.values())) + len(added) > _MOST_BYTES:
        return None
    kept += bytes(-len(kept) % _ALIGNED)
    build = flatbuffers.Builder(len(kept) + sum(map(len, outside.values())) + len(added) + 4096)
    build.Prep(_ALIGNED, 0)  # the whole becomes a multiple of 16 bytes, so what was aligned stays so
    build.CreateByteVector(kept)  # a builder writes from the end: these are its last bytes

    def at(position: int) -> int:
        return len(kept) - position

    data = {i: _aligned(build, content) for i, content in {**outside, len(buffers): added}.items()}
    names = [model.Metadata(index) for index in range(model.MetadataLength())]
    fresh = _table(build, {0: build.CreateString(KEY), 1: ("Uint32", len(buffers))})
    fields: dict[int, Any] = {
        0: ("Uint32", model.Version()),
        _MODEL_FIELDS["buffers"]: _offsets(
            build,
            [
                *(_table(build, {0: data[i]}) if i in data else at(b._tab.Pos) for i, b in enumerate(buffers)),  # noqa: SLF001 - where it lies in the file
                _table(build, {0: data[len(buffers)]}),
            ],
        ),
        _MODEL_FIELDS["metadata"]: _offsets(
            build,
            [*(at(one._tab.Pos) for one in names if one.Name() != KEY.encode()), fresh],  # noqa: SLF001
        ),
    }
    for slot in _MODEL_FIELDS.values():
        where = model._tab.Offset(4 + 2 * slot)  # noqa: SLF001
        if where and slot not in fields:
            fields[slot] = at(model._tab.Indirect(model._tab.Pos + where))  # noqa: SLF001
    build.Finish(_table(build, fields), file_identifier=b"TFL3")
    return bytes(build.Output())


def _table(build: Any, fields: Mapping[int, int | tuple[str, int]]) -> int:
    """A table of a flatbuffer: slot -> the offset of something made before, or (type of a number, number)."""
    build.StartObject(max(fields, default=-1) + 1)
    for slot, value in fields.items():
        if isinstance(value, tuple):
            getattr(build, f"Prepend{value[0]}Slot")(slot, value[1], 0)
        else:
            build.PrependUOffsetTRelativeSlot(slot, value, 0)
    return int(build.EndObject())


def _offsets(build: Any, items: Sequence[int]) -> int:
    build.StartVector(4, len(items), 4)
    for item in reversed(items):
        build.PrependUOffsetTRelative(item)
    return int(build.EndVector())


def _pair(build: Any, *lists: Sequence[float]) -> int:
    """A table of vectors of floats."""
    made = {}
    for slot, values in enumerate(lists):
        build.StartVector(4, len(values), 4)
        for value in reversed(values):
            build.PrependFloat32(value)
        made[slot] = int(build.EndVector())
    return _table(build, made)


def _aligned(build: Any, content: bytes) -> int:
    """A vector of bytes that begins at a multiple of 16."""
    build.Prep(_ALIGNED, len(content))
    return int(build.CreateByteVector(content))
