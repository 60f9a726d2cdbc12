"""Bundles side by side: plain data, the table and the figure."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.core.numbers import SPACE
from nbdeploy.errors import IntegrityError, UsageError
from tests.bundles import bundle_at

NOT_RUN = {"name": "on_the_device", "status": "not_run", "value": None, "limit": None, "why": "no <Mac> here"}
BROWSER = {"name": "browser", "status": "passed", "value": 0.0, "limit": 1e-3, "why": ""}
DRIFT = {"name": "max_drift", "status": "passed", "value": 2e-6, "limit": 1e-3, "why": ""}


def test_the_figures_are_those_of_the_reports(tmp_path: Path) -> None:
    bundle = bundle_at(tmp_path / "a", checks=[DRIFT, BROWSER])
    (row,) = nd.compare(bundle)
    assert ("digits", "onnx", "fp32", "passed", "verified") == (
        row.name,
        row.target,
        row.recipe,
        row.outcome,
        row.word,
    )
    assert (1000, 4000, 0.95, 0.95, 1.0) == (
        row.size_bytes,
        row.size_bytes_original,
        row.accuracy,
        row.accuracy_original,
        row.top1_agreement,
    )
    assert (2e-6, 1e-3, 2.0, 8.0) == (row.max_drift, row.max_drift_limit, row.latency_ms, row.latency_ms_original)
    assert "By onnxruntime 9.9. Also: browser." == row.checked


def test_folders_lists_and_dicts_are_taken_and_one_named_twice_is_shown_once(tmp_path: Path) -> None:
    one, two, three = (bundle_at(tmp_path / name) for name in "abc")
    found = nd.compare({"x": two}, [one, str(two.path)], three.path)
    assert [str(tmp_path / name) for name in "bac"] == [row.path for row in found]


def test_a_table_in_words_has_the_original_once_and_the_ratios(tmp_path: Path) -> None:
    bundles = [bundle_at(tmp_path / "a"), bundle_at(tmp_path / "b", recipe="fp16", metrics={"accuracy_deployed": 0.94})]
    lines = str(nd.compare(bundles)).splitlines()
    assert ["Model", "the original", "onnx fp32", "onnx fp16"] == [line.partition("  ")[0] for line in lines[:4]]
    assert "4.00 kB" in lines[1]
    assert "8.00 ms" in lines[1]
    assert "1.00 kB (4.0 times smaller)" in lines[2]
    assert "95.0 % (the same)" in lines[2]
    assert "94.0 % (−1.0 points)" in lines[3]
    assert "2.00 ms (4.0 times faster)" in lines[3]
    assert "on 120 held-out files" in lines[4]
    assert "median of 20 runs" in lines[5]
    assert "load" not in lines[5]


def test_models_of_their_own_have_originals_of_their_own(tmp_path: Path) -> None:
    bundles = [bundle_at(tmp_path / "a"), bundle_at(tmp_path / "b", name="cats", metrics={"accuracy_original": 0.8})]
    lines = str(nd.compare(bundles)).splitlines()
    firsts = [line.partition("  ")[0] for line in lines[1:5]]
    assert ["digits, the original", "digits onnx fp32", "cats, the original", "cats onnx fp32"] == firsts
    assert "2 bundles beside the originals" in nd.compare(bundles)._repr_html_()


def test_what_was_not_measured_is_a_dash_and_not_run_is_said(tmp_path: Path) -> None:
    none = dict.fromkeys(("latency_ms_p50", "latency_ms_p50_original", "latency_runs", "accuracy_deployed"))
    found = nd.compare(bundle_at(tmp_path / "a", target="coreml", checks=[NOT_RUN], metrics=none))
    (row,) = found
    assert (None, None) == (row.latency_ms, row.accuracy)
    assert "By a reference interpreter. Not run: on the device." == row.checked
    assert "Latency:" not in str(found)
    assert f"✓{SPACE}verified" in found._repr_html_()


def test_a_bundle_that_was_not_compared_or_failed_does_not_read_as_verified(tmp_path: Path) -> None:
    failed = {"why": "a <demo>", "checks": ["mean_drift"]}
    bad = {"name": "mean_drift", "status": "failed", "value": 1.0, "limit": 0.1, "why": ""}
    rows = nd.compare(bundle_at(tmp_path / "a", checks=[bad]), bundle_at(tmp_path / "b", accepted_failure=failed))
    assert [("not_run", "NOT verified"), ("failed", "put in place although checks failed: a <demo>")] == [
        (row.outcome, row.word) for row in rows
    ]
    page = rows._repr_html_()
    assert "a &lt;demo&gt;" in page
    assert "<demo>" not in page


def test_a_target_that_is_not_installed_here_is_shown_all_the_same(tmp_path: Path) -> None:
    (row,) = nd.compare(bundle_at(tmp_path / "a", target="of-others"))
    assert "By the runtime of of-others." == row.checked


def test_to_frame_has_a_number_a_figure(tmp_path: Path) -> None:
    frame = nd.compare(bundle_at(tmp_path / "a"), bundle_at(tmp_path / "b", size=2000)).to_frame()
    assert [1000, 2000] == list(frame["size_bytes"])
    assert ["onnx", "onnx"] == list(frame["target"])


@pytest.mark.parametrize(("given", "says"), [((), "nothing to compare"), (([],), "nothing"), ((7,), "A int cannot")])
def test_what_cannot_be_compared_is_said(given: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        nd.compare(*given)


def test_a_folder_that_was_edited_is_refused(tmp_path: Path) -> None:
    bundle = bundle_at(tmp_path / "a")
    report = bundle.path / "report.json"
    report.write_text(report.read_text("utf-8").replace("0.95", "0.99"), encoding="utf-8")
    with pytest.raises(IntegrityError, match="report.json"):
        nd.compare(bundle.path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_figure_has_a_bar_for_both_and_no_two_texts_overlap(tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    none = dict.fromkeys(("latency_ms_p50", "latency_ms_p50_original", "max_abs_diff"))
    bundles = [
        bundle_at(tmp_path / "a", checks=[DRIFT]),
        bundle_at(tmp_path / "b", target="executorch", size=4001, metrics={"max_abs_diff": 0.4, "latency_ms_p50": 8.1}),
        bundle_at(tmp_path / "c", target="coreml", metrics=none),
        bundle_at(tmp_path / "d", target="torch", metrics={"max_abs_diff": 0.0}),
    ]
    figure = nd.compare(bundles).plot()
    figure.savefig(io.BytesIO(), dpi=figure.dpi)  # lays it out and then draws it
    sizes, drifts, times = figure.axes
    assert [4000, 1000, 4000, 4001, 4000, 1000, 4000, 1000] == [bar.get_width() for bar in sizes.patches]
    assert [8.0, 2.0, 8.0, 8.1, 8.0, 2.0] == [bar.get_width() for bar in times.patches]
    assert ["onnx", "executorch", "coreml", "torch"] == [text.get_text() for text in sizes.get_yticklabels()]
    assert 2 == sum("not run" in text.get_text() for panel in (drifts, times) for text in panel.texts)
    assert "log" == drifts.get_xscale()
    assert 1e-8 < drifts.get_xlim()[0] < 2e-6, "a drift of nothing stretches no axis"
    texts = [text for panel in figure.axes for text in (*panel.texts, panel.title, *panel.get_xticklabels())]
    texts += sizes.get_yticklabels()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text() and text.get_visible()]
    boxes.append(("legend", figure.legends[0].get_window_extent()))
    over = [(a, b) for n, (a, one) in enumerate(boxes) for b, two in boxes[n + 1 :] if one.overlaps(two)]
    assert [] == over
    for panel in figure.axes:
        right = panel.get_window_extent().x1
        assert [] == [text.get_text() for text in panel.texts if text.get_window_extent().x1 > right]


def test_the_table_loads_no_torch_and_no_matplotlib(tmp_path: Path) -> None:
    bundle = bundle_at(tmp_path / "a", target="executorch")
    script = (
        f"import sys, nbdeploy as nd\nnd.compare({str(bundle.path)!r})._repr_html_()\n"
        "print([name for name in ('torch', 'matplotlib', 'executorch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
