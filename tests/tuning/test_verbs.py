"""`nbdeploy tune` and `%tune`: one line, one call of the Python API."""

from __future__ import annotations

import json
import shlex

import pytest

from nbdeploy.cli import main
from nbdeploy.errors import UnknownName, UsageError
from nbdeploy.options import add_options
from nbdeploy.parsing import Line, Parser

LINE = (
    "digits -o model --trials 12 --time-limit 30min --arch resnet18,mobilenet_v3_small --size 64..128 --lr 1e-4..1e-2 "
    "--epochs 2..8 --augment yes,no --batch-size 16,32 --flip no --objective accuracy --objective size --target tflite "
    "--recipe fp16,static_int8 --workers 2 --engine ray --pruner halving --name pets --no-resume --from-scratch"
)


def test_a_line_says_what_the_python_call_says():
    parser = add_options(Parser(), "tune")
    assert {
        "out": "model",
        "trials": 12,
        "time_limit": "30min",
        "arch": ["resnet18", "mobilenet_v3_small"],
        "size": (64, 128),
        "lr": (1e-4, 1e-2),
        "epochs": (2, 8),
        "augment": [True, False],
        "batch_size": [16, 32],
        "flip": False,
        "objectives": ["accuracy", "size"],
        "target": "tflite",
        "recipe": ["fp16", "static_int8"],
        "workers": 2,
        "engine": "ray",
        "pruner": "halving",
        "name": "pets",
        "resume": False,
        "pretrained": False,
    } == Line(parser, parser.parse_args(shlex.split(LINE))).given(leave={"data"})


@pytest.mark.parametrize(
    ("option", "error", "says"),
    [
        ("--epochs 2..x", UsageError, "--epochs takes a whole number of at least 1, not x"),
        ("--augment maybe", UsageError, "--augment takes yes, no or yes,no, not maybe"),
        ("--objective acuracy", UnknownName, 'Did you mean "accuracy"'),
        ("--recipe fp61", UnknownName, "fp16"),
        ("--pruner medain", UnknownName, 'Did you mean "median"'),
        ("--arch ,", UsageError, "at least one"),
    ],
)
def test_what_cannot_be_is_said(option, error, says):
    with pytest.raises(error, match=says):
        add_options(Parser(), "tune").parse_args(["digits", "-o", "model", *option.split()])


def test_the_terminal_tunes_saves_the_winner_and_says_the_line(few, tmp_path, capsys):
    model = tmp_path / "model"
    line = [
        *["tune", few.source, "-o", str(model), "--valid", "0.25", "--arch", "test_resnet.r160_in1k", "--size", "32"],
        *["--from-scratch", "--batch-size", "8", "--lr", "1e-3..3e-2", "--epochs", "1", "--augment", "no"],
        *["--trials", "2", "--json"],
    ]
    assert 0 == main(line)
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert str(model) == found["path"]
    assert 2 == len(found["trials"])
    assert found["best"]["number"] in {0, 1}
    assert 10 == found["held_out"]["files"]
    assert found["call"].startswith("nd.train(images, ")
    assert (model / "program.json").is_file()
    assert "trial 1 (2 of 2) done: accuracy" in told.err
    assert 1 == main(line)  # what is there is not replaced
