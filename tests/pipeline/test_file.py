"""What a pipeline's file may say, and what is said where it cannot be."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, Literal

import pytest

import nbdeploy as nd
from nbdeploy.errors import DataError, UnknownName, UsageError
from nbdeploy.pipeline.gates import Gate
from nbdeploy.pipeline.schema import TRAIN, as_markdown, json_schema
from nbdeploy.pipeline.spec import read_spec

WHOLE = """\
name: pets
seed: 7
data: {from: data/pets, valid: 0.3}
clean: {decisions: mine.jsonl, exclude: [unreadable, exact_duplicate], fail_on: {label_error: 0.9}}
train: {arch: resnet34, epochs: 2, size: 64, lr: 1e-3, pretrained: false, out: models/pets}
deploy:
  - {target: litert, recipe: [fp32, static_int8], out: build/x, version: 1.10}
  - {provider: local, endpoint: pets, settings: {port: 8080}, gates: {latency_ms: "< 1 s"}}
gates: {accuracy: ">= .95", size_bytes: "< 5 MB"}
"""


def read(text: str) -> Any:
    return read_spec(text, Path("/home/ada/pets"), "pipeline.yaml")


def test_everything_that_a_file_may_say_is_read() -> None:
    spec = read(WHOLE)
    assert (spec.name, spec.seed, spec.root) == ("pets", 7, Path("/home/ada/pets"))
    assert spec.data == {"from": "data/pets", "valid": 0.3}
    assert spec.clean["fail_on"] == {"label_error": 0.9}
    assert spec.train == {"arch": "resnet34", "epochs": 2, "size": 64, "lr": 0.001, "pretrained": False}
    assert spec.model == Path("/home/ada/pets/models/pets")
    assert [(one.label, str(one.out)) for one in spec.bundles] == [
        ("tflite-fp32", "/home/ada/pets/build/x-fp32"),
        ("tflite-static_int8", "/home/ada/pets/build/x-static_int8"),
        ("cloud-fp32", "/home/ada/pets/build/pets-cloud"),
    ]
    assert spec.bundles[0].keywords == {"version": "1.10"}
    assert spec.bundles[2].place.settings == {"port": "8080"}
    assert set(spec.bundles[2].gates) == {
        Gate("accuracy", ">=", 0.95),
        Gate("size_bytes", "<", 5e6),
        Gate("latency_ms", "<", 1000.0),
    }


def test_little_is_enough() -> None:
    spec = read("data: pets")
    assert (spec.name, spec.seed, spec.data, spec.bundles) == ("pets", 42, {"from": "pets"}, ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs: 2", "epoch: 2", 'line 5: There is no key of train "epoch".\nDid you mean "epochs"?'),
        ("seed: 7", "sed: 7", 'line 2: There is no key of a pipeline "sed".\nDid you mean "seed"?'),
        ("seed: 7", "seed: 7\nseed: 8", 'line 3: "seed" stands twice, first in line 2.'),
        ("seed: 7", "seed: seven", 'line 2: seed takes a whole number of at least 0, not "seven".'),
        ("seed: 7", "seed: true", "line 2: seed takes a whole number of at least 0, not true."),
        ("seed: 7", "seed: 7.5", "line 2: seed takes a whole number of at least 0, not 7.5."),
        ("seed: 7", "seed: .inf", "line 2: seed takes a whole number of at least 0, not .inf."),
        ("valid: 0.3", "valid: 1.0", "line 3: valid takes a share between 0 and 1, not 1.0."),
        ("valid: 0.3", "dataset: digits", "line 3: data is either from: a path, or dataset: a name."),
        ("from: data/pets", "dataset: digit", 'line 3: There is no data set "digit".\nDid you mean "digits"?'),
        ("pretrained: false", "pretrained: maybe", 'line 5: pretrained takes true or false, not "maybe".'),
        ("litert", "tflit", 'line 7: There is no target "tflit".\nDid you mean "tflite"?'),
        ("static_int8]", "int8]", 'line 7: There is no recipe "int8".'),
        ("[fp32, static_int8]", "palette_4bit", 'line 7: The target "tflite" does not do the recipe "palette_4bit".'),
        ("[fp32, static_int8]", "[]", "line 7: recipe is an empty list."),
        ("{target: litert, ", "{", "line 7: target is missing in deploy."),
        ("provider: local", "provider: locl", 'line 8: There is no provider "locl".\nDid you mean "local"?'),
        ("provider: local", "target: onnx", "line 8: endpoint and settings without a provider."),
        ("provider: local", "provider: local, recipe: [fp32, fp16]", "line 8: one endpoint takes one bundle"),
        ("endpoint: pets", "endpoint: My Pets", 'line 8: "My Pets" is no name for an endpoint.'),
        ("label_error: 0.9", "label_eror: 0.9", 'line 4: There is no kind of finding "label_eror".'),
        ("label_error: 0.9", "label_error: 9", "line 4: fail_on: label_error takes a score from 0 to 1, not 9."),
        ('">= .95"', "0.95", 'line 9: accuracy takes a comparison in quotes, as ">= 0.95", not 0.95.\nType: accuracy'),
        ('">= .95"', '"about .95"', 'line 9: accuracy takes a comparison in quotes, as ">= 0.95"'),
        ('"< 5 MB"', '"< 5 ms"', "line 9: size_bytes takes a comparison in quotes"),
        ("name: pets", "name: [pets]", "line 1: name takes a text, not a list."),
        (
            "[fp32, static_int8], out: build/x",
            "fp32, out: models/pets/x",
            "would lie in one another: /home/ada/pets/models",
        ),
        ("out: build/x", "out: data/pets/x", "would lie in one another: /home/ada/pets/data/pets and"),
        ("data: {from: data/pets, valid: 0.3}\n", "", "line 1: data is missing in a pipeline."),
        ("clean: {", "clean: {{", "this is not YAML"),
        ("seed: 7", "seed: !!python/object:os.system 7", "could not determine a constructor"),
        ("seed: 7", f"seed: {2**32}", "line 2: seed takes a whole number of at least 0, not 4294967296.\nAt most"),
        ("seed: 7", f"seed: {'9' * 400}", "line 2: seed takes a whole number of at least 0, not 999"),
        ("seed: 7", f"seed: {'9' * 5000}", "line 2: 999"),
        ("epochs: 2", "epochs: 1e300", 'line 5: epochs takes a whole number of at least 1, not "1e300".'),
        ("lr: 1e-3", f"lr: {'9' * 400}", "line 5: lr takes a number above 0"),
        ("pretrained: false", "keep: bset", 'line 5: There is no epoch to keep "bset".\nDid you mean "best"?'),
        ("pretrained: false", "precision: fp8", 'line 5: There is no precision "fp8".'),
        ("pretrained: false", "class_weights: maybe", "line 5: class_weights takes true, false, or keys with a number"),
        ("pretrained: false", "class_weights: {cat: 0}", "line 5: class_weights: cat takes a number above 0, not 0."),
        ('">= .95"', '">= 95"', "line 9: accuracy is a share, so it is never more than 1 or 100 %, and here stands"),
        ('">= .95"', '">= 95"', 'Type: accuracy: ">= 95 %"'),
        ("settings: {port: 8080}", "settings: {prot: 8080}", 'line 8: The provider "local" knows no setting "prot".'),
        ("provider: local, endpoint: pets, settings: {port: 8080}", "provider: ssh", "Type: settings: {KEY: value}"),
        ("provider: local", "provider: local, target: tflite", "line 8: a bundle for tflite has no server"),
        ("out: build/x", "out: .nbdeploy/x", "line 1: /home/ada/pets/.nbdeploy/x-fp32 is no place for a result."),
        ("name: pets", 'name: "a\\0b"', "line 1: name takes a text, not"),
        ("name: pets", 'name: "a\ab"', "line 1: U+0007 is no letter that YAML takes.\nRemove it."),
        ("epochs: 2", f"epochs: {'[' * 5000}{']' * 5000}", "nested far deeper than a pipeline"),
        (
            "train: {",
            "train:\n\t{",
            "line 6: this is not YAML (found character '\\t' that cannot start any token).\nIndent",
        ),
        ("gates: {accuracy", "gates: 3  #", "line 9: gates takes keys with values, not 3.\nIts keys: accuracy, "),
    ],
)
def test_what_cannot_be_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(UsageError) as caught:
        read(WHOLE.replace(old, new))
    assert f"pipeline.yaml, {said}" in str(caught.value) if said.startswith("line") else said in str(caught.value)


def test_what_an_alias_stands_for_may_itself_be_made_of_another() -> None:
    spec = read(
        "data: x\ngates: &all {accuracy: '> 0.5', drift: '< 1'}\n"
        "deploy:\n- {target: onnx, gates: &more {<<: *all, accuracy: '> 0.6'}}\n- {target: torch, gates: *more}\n"
    )
    wanted = {Gate("accuracy", ">", 0.6), Gate("drift", "<", 1)}
    assert [set(one.gates) for one in spec.bundles] == [wanted, wanted]


def test_home_is_meant_wherever_a_path_may_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/bob")
    spec = read("data: ~/pets\ntrain: {out: ~/model}\ndeploy: {target: onnx, out: ~/bundle}\n")
    assert [str(place) for place in (spec.place, spec.model, spec.bundles[0].out)] == [
        "/home/bob/pets",
        "/home/bob/model",
        "/home/bob/bundle",
    ]
    assert read("data: ~nobody-of-that-name/pets\n").place == Path("/home/ada/pets/~nobody-of-that-name/pets")


def test_a_comparison_without_quotes_is_told_to_have_some() -> None:
    with pytest.raises(UsageError, match='Put a comparison in quotes: accuracy: ">= 0.95"'):
        read("data: x\ngates:\n  accuracy: >= .95\n")


def test_a_few_lines_that_stand_for_millions_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(UsageError, match="more values than a pipeline has"):
        read("\n".join(lines))
    with pytest.raises(UsageError, match="more values than a pipeline has"):
        read("data: &a [*a]")


def test_what_is_no_mapping_or_nothing_is_said() -> None:
    with pytest.raises(UsageError, match="is empty"):
        read("# nothing\n")
    with pytest.raises(UsageError, match="a pipeline takes keys with values, not a list"):
        read("- a")
    with pytest.raises(DataError, match="There is no .*nowhere.yaml.\nWrite one for your data: nbdeploy init"):
        nd.Pipeline.load("nowhere.yaml")


def test_two_entries_of_the_same_kind_have_names_of_their_own() -> None:
    spec = read(
        "data: x\ndeploy:\n- {target: onnx, out: a/one}\n- {target: onnx, out: b/two}\n- {target: onnx, out: c/two}"
    )
    assert [one.label for one in spec.bundles] == ["onnx-fp32", "two", "onnx-fp32-2"]


def test_every_key_of_train_is_a_keyword_of_train_with_the_same_default() -> None:
    known = inspect.signature(nd.train).parameters
    for key in TRAIN.keys:
        if key.name != "out":
            assert key.name in known
            told = {"true": True, "false": False, "resnet18": "resnet18"}.get(key.default, key.default)
            if key.default not in {"found out", "as many as help"}:
                assert str(known[key.name].default) == str(told)


def test_a_rate_may_be_found_where_train_finds_one(monkeypatch: Any) -> None:
    from nbdeploy.training import images

    def train(images: Any, *, lr: float | Literal["find"] | None = None) -> None: ...

    monkeypatch.setattr(images, "train", train)
    assert read("data: x\ntrain: {lr: find}").train == {"lr": "find"}
    with pytest.raises(UsageError, match='lr takes a number above 0, or find, not "fnd"'):
        read("data: x\ntrain: {lr: fnd}")


def test_a_keyword_that_train_has_besides_is_taken_and_its_type_checked(monkeypatch: Any) -> None:
    from nbdeploy.training import images

    def train(images: Any, *, epochs: int = 5, mixed: bool | None = None, name: str = "") -> None: ...

    monkeypatch.setattr(images, "train", train)
    assert read("data: x\ntrain: {mixed: true, name: 7}").train == {"mixed": True, "name": "7"}
    with pytest.raises(UsageError, match="line 2: mixed takes true or false, not 3"):
        read("data: x\ntrain: {mixed: 3}")
    with pytest.raises(UnknownName, match='Did you mean "mixed"'):
        read("data: x\ntrain: {mixd: 3}")


def _fits(value: Any, schema: Any) -> bool:
    """Whether `value` fits a schema of the few forms that are used."""
    for name, choice in (("enum", list), ("const", lambda one: [one])):
        if name in schema:
            return value in choice(schema[name])
    if "anyOf" in schema:
        return any(_fits(value, one) for one in schema["anyOf"])
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    wanted = schema.get("type", [])
    fits = any(isinstance(value, kinds[kind]) for kind in ([wanted] if isinstance(wanted, str) else wanted))
    if isinstance(value, list):
        return fits and all(_fits(one, schema["items"]) for one in value)
    if not isinstance(value, dict):
        return fits
    inner, more = schema.get("properties", {}), schema.get("additionalProperties", False)
    known = (_fits(one, inner[key]) if key in inner else bool(more) and _fits(one, more) for key, one in value.items())
    return fits and set(schema.get("required", ())) <= set(value) and all(known)


def test_the_json_schema_takes_what_the_reader_takes() -> None:
    import yaml

    schema = json.loads(json.dumps(json_schema()))
    good = yaml.safe_load(WHOLE.replace("litert", "tflite").replace("1e-3", "0.001"))
    assert _fits(good, schema)
    assert not _fits({**good, "sed": 1}, schema)
    assert not _fits({**good, "train": {"epoch": 2}}, schema)
    assert not _fits({}, schema)


def test_the_page_of_the_documentation_holds_the_table_of_the_schema(root: Path) -> None:
    assert as_markdown() in (root / "docs" / "pipeline.md").read_text(encoding="utf-8")
