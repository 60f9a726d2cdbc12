"""Checks in words a beginner understands: what each one asks, its unit, and what to do when it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbdeploy.core.inputs import KINDS, NUMBER
from nbdeploy.core.numbers import SPACE, number, percent, quantity
from nbdeploy.core.report import Check, Report, Status, show


@dataclass(frozen=True, slots=True)
class Words:
    """What a person reads of a check. `bound` says which side of the limit is good."""

    question: str
    step: str
    """The next step when the check failed; "" for the general one."""
    unit: str = ""
    bound: str = ""


_NEXT = "Read the reason, put it right, and deploy again. Until then do not ship this bundle."
_AGAIN = "Make the bundle again with nd.deploy. If it happens twice, the disk or a tool that edits files is to blame."
_SHRUNK = (
    'Deploy again with a recipe that keeps more of the model: recipe="fp16", "dynamic_int8" in place of "static_int8", '
    '"palette_6bit" in place of "palette_4bit". For static_int8, more and more varied calibration pictures help too.'
)
_WEIGHTS = 'Deploy again with a recipe that keeps more of the model: recipe="fp16", or "fp32".'
_EXACT = (
    "This recipe should not change answers, so a step differs between training and the app. "
    "The diagnosis, if there is one, names it."
)
_RUNTIME = "Check that the runtime's version here is the one in the list of tools below, then run nd.verify again."
_KNOWN = {
    "top1_agreement": Words("Does it pick the same label as the original?", "", "share", "at least"),
    "answers_are_numbers": Words("How many pictures got no usable answer?", "", bound="at most"),
    "mean_drift": Words("How far do probabilities move on average, from 0 to 1?", "", bound="at most"),
    "max_drift": Words("How far does any probability move, from 0 to 1?", "", bound="at most"),
    "accuracy_drop": Words("How much accuracy was lost?", "", "points", "at most"),
    "accuracy": Words("Is it right as often as the original?", "", "share", "at least"),
    "labels": Words("Are the labels and their order the ones trained with?", _AGAIN, bound="exactly"),
    "package_labels": Words("Does the model itself name the same labels, in their order?", _AGAIN, bound="exactly"),
    "samples": Words("Do the sample pictures give the answers stored beside them?", _RUNTIME, bound="at most"),
    "file_hashes": Words("How many files are not as they were written?", _AGAIN, bound="at most"),
    "mediapipe": Words("Does MediaPipe give the same answers from the model file alone?", _RUNTIME, bound="at most"),
    "fresh_process": Words("Does it give the same answers in a new process?", _RUNTIME, bound="at most"),
    "endpoint": Words("Does its own server give the same answers over HTTP?", _RUNTIME, bound="at most"),
    "aarch64": Words(
        "How far does any probability move on an ARM64 processor, as phones have, from 0 to 1?",
        "Try another recipe: fp32 moves least. The processor's arithmetic differs, so a phone will show it too.",
        bound="at most",
    ),
    "on_the_device": Words("Does the device's own runtime give the same answers?", "", bound="at most"),
    "latency": Words("How long does one picture take on a device?", ""),
}
_UNKNOWN = Words("", _NEXT)
_FORMATS = {"share": percent, "points": lambda v: f"{100 * v:.1f}{SPACE}points", "": quantity}


def named(text: str, noun: str) -> str:
    """What is said of pictures, said of rows or texts."""
    return text if noun == "picture" else text.replace("pictures", f"{noun}s").replace("picture", noun)


def rows(report: Report, recipe: Mapping[str, Any], noun: str = "picture") -> list[dict[str, str]]:
    """The table of checks, failed ones first, everything as text. The same next step is said once."""
    table, said = [_row(check, recipe, noun) for check in report.ordered()], set[str]()
    for line in table:
        line["next"], step = ("The same as above." if line["next"] in said else line["next"]), line["next"]
        said |= {step} - {""}
    return table


def _row(check: Check, recipe: Mapping[str, Any], noun: str) -> dict[str, str]:
    words = _KNOWN.get(check.name, _UNKNOWN)
    limit = _amount(check.limit, words)
    weights = str(recipe.get("weights", recipe.get("name", "")))
    shrunk = "int8" in weights or "palette" in weights
    step = words.step or (_SHRUNK if shrunk and noun == "picture" else _WEIGHTS if shrunk else _EXACT)
    return {
        "status": check.status.value,
        "word": check.status.value.replace("_", " "),
        "title": check.title[:1].upper() + check.title[1:],
        "question": named(words.question, noun),
        "value": _amount(check.value, words),
        "limit": f"{words.bound} {limit}" if words.bound and number(check.limit) is not None else limit,
        "why": check.why,
        "next": step if check.status is Status.failed else "",
    }


def _amount(value: float | str | None, words: Words) -> str:
    amount = number(value)
    if amount is None or isinstance(value, str):
        return show(value)
    if isinstance(value, int) and not words.unit:
        return f"{value:,}"
    return _FORMATS[words.unit](amount)


_OPS = {
    "crop_resize": "Cut the largest centred region with the shape of {size}, then resize it to {size}",
    "squish_resize": "Resize to {size}, without regard to shape",
    "pad_resize": "Pad to the shape of {size} ({pad}), then resize it to {size}",
    "center_crop": "Cut the centre, {size}, without resizing; pad with black where the picture is smaller",
    "exact_size": "Take only pictures of exactly {size}",
}
_PADS = {"zeros": "with black", "border": "by repeating the edge", "reflection": "by mirroring"}


_DEEP = {"integers": "16 bits or more", "floats": "float pixels"}


def _scaling(kind: str, span: Sequence[float]) -> str:
    low, high = (f"{end:,.6g}" for end in span)
    return f"In pictures with {_DEEP.get(kind, kind)}, {low} becomes 0 and {high} becomes 255."


def steps(signature: Mapping[str, Any]) -> list[str]:
    """What the app does to a picture before the model sees it, a sentence a step. Takes ``Signature.to_dict()``."""
    host, given = signature["host"], signature["input"]
    if signature["task"] in KINDS:
        return [*(_of_rows(host) if "columns" in host else _of_words(host)), _handed(given)]
    turn = "turn it as its EXIF orientation says" if host["exif"] else "leave its EXIF orientation alone"
    lines = [f"Decode the file as {'RGB' if given['channels'] != 1 else 'gray'}; {turn}."]
    lines += [_scaling(kind, span) for kind, span in (host.get("ranges") or {}).items() if span]
    for step in host["steps"]:
        size = f"{step['width']} \N{MULTIPLICATION SIGN} {step['height']} px"
        resized = f" ({step['resample']})" if step["op"].endswith("resize") else ""
        text = _OPS.get(step["op"], step["op"])
        lines.append(text.format(size=size, pad=_PADS.get(step["pad"], step["pad"])) + resized + ".")
    return [*lines, _handed(given)]


def _handed(given: Mapping[str, Any]) -> str:
    shape = ", ".join(str(n) for n in given["shape"])
    span = ", 0 to 255" if given["dtype"] == "uint8" else ""
    return f"Hand it over as {given['dtype']}{span}, shape [{shape}]."


def _of_rows(host: Mapping[str, Any]) -> list[str]:
    columns = host["columns"]
    numbers, others = ([c for c in columns if (c["kind"] == NUMBER) is wanted] for wanted in (True, False))
    lines = ["Put the values of the row in this order: " + ", ".join(column["name"] for column in columns) + "."]
    if numbers:
        lines.append("A number stands for itself; NaN where it is missing.")
    if others:
        lines.append(
            "A category stands as its place in the list of its column, counted from 1; 0 where it is missing or not in "
            "the list: " + ", ".join(f"{c['name']} ({len(c['categories'])})" for c in others) + "."
        )
    return lines


def _of_words(host: Mapping[str, Any]) -> list[str]:
    parts, pairs = " and ".join(map(str, host["parts"])), "pairs of neighbours and " if host["pairs"] else ""
    return [
        "Make the text NFKC and fold its case; cut it into words (letters and digits) and other signs.",
        f"Write each word between < and >; then {pairs}parts of {parts} letters.",
        f"Take the place of each in the vocabulary of {len(host['vocabulary']):,}, counted from 1, or pass over it.",
        f"Cut after {host['length']:,}, or fill up with 0.",
    ]
