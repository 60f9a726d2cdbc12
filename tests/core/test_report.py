"""A report in a terminal and in a notebook."""

from __future__ import annotations

from nbdeploy.core.report import Check, FileResult, Report, Status

METRICS = {
    "files": 60,
    "top1_agreement": 0.5,
    "mean_abs_diff": 0.012,
    "max_abs_diff": 0.5,
    "accuracy_original": 0.9,
    "accuracy_deployed": 0.45,
    "accuracy_deployed_interval": [0.331, 0.575],
    "size_bytes": 11_900_000,
    "size_bytes_original": 47_200_000,
    "latency_ms_p50": 1.9,
    "latency_ms_p50_original": 16.9,
    "latency_runs": 200,
    "measured_on": "Linux x86_64, 2 CPUs",
}
FAILED = Check("top1_agreement", Status.failed, 0.5, 0.995, "the same answer on 30 of 60 <files>")
CHECKS = (
    Check("file_hashes", Status.passed, 0, 0, "every file is as the manifest says"),
    Check("accuracy", Status.not_run, why="not known"),
    FAILED,
)
CHANGED = (FileResult("a<b>.png", "cat", "cat", "(no answer)", 0.9, float("nan"), float("nan")),)


def test_a_terminal_shows_failed_checks_first_then_the_diagnosis_then_both_models() -> None:
    lines = str(Report(CHECKS, METRICS, diagnosis="Converting is to blame.")).splitlines()
    assert "✗ failed   top1 agreement  50.0 %  at least 99.5 %  the same answer on 30 of 60 <files>" == lines[0]
    assert "– not run  accuracy        –       –                not known" == lines[1]
    assert "✓ passed   file hashes     0       at most 0        every file is as the manifest says" == lines[2]
    assert "Converting is to blame." == lines[4]
    assert "                   deployed  original" == lines[6]
    assert "accuracy             45.0 %    90.0 %  −45.0 points" == lines[7]
    assert "size                11.9 MB   47.2 MB  4.0 times smaller" == lines[8]
    assert "latency, 1 thread   1.90 ms   16.9 ms  8.9 times faster" == lines[9]
    assert "Probabilities moved by 0.012 on average and 0.5 at most, from 0 to 1." == lines[10]
    assert "Accuracy deployed: 33.1 to 57.5 % with 95 % confidence." == lines[11]
    assert "Latency: median of 200 runs of the model alone, Linux x86_64, 2 CPUs." == lines[12]


def test_a_notebook_shows_the_same_escaped() -> None:
    page = Report(CHECKS, METRICS, CHANGED, diagnosis="<i> is to blame")._repr_html_()
    assert "3 checks: 1 failed, 1 not run, 1 passed" in page
    assert page.index("✗") < page.index("&lt;i&gt; is to blame") < page.index("top1 agreement") < page.index("✓")
    assert "30 of 60 &lt;files&gt;" in page
    assert "1 held-out file changed the answer" in page
    assert "a&lt;b&gt;.png" in page
    assert "(no answer) (not a number)" in page


def test_what_was_not_measured_has_no_row_and_not_run_does_not_read_as_passed() -> None:
    report = Report((Check("top1_agreement", Status.not_run),), {"size_bytes": 900})
    assert "latency" not in str(report)
    assert "size  900 bytes         –" == str(report).splitlines()[-1]
    assert "not held to the original" in report._repr_html_()


def test_a_report_that_says_nothing_is_empty() -> None:
    assert not str(Report(()))


def test_a_check_of_somebody_else_keeps_its_words_and_a_nan_is_no_number() -> None:
    checks = (
        Check("colour", Status.failed, "grün", "blue", "odd"),
        Check("max_drift", Status.failed, float("nan"), 0.1),
    )
    lines = str(Report(checks)).splitlines()
    assert "✗ failed  colour     grün          blue         odd" == lines[0]
    assert "✗ failed  max drift  not a number  at most 0.1" == lines[1]
