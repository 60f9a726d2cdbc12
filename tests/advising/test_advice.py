"""Which option is ranked where, which is ruled out and why; what is measured; the table, the figure, the terminal."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy.advising import advice as module
from nbdeploy.advising.advice import Advice, advise
from nbdeploy.advising.answers import Answers
from nbdeploy.advising.judging import Option, options
from nbdeploy.advising.measured import Measured, sustained
from nbdeploy.advising.prices import read_prices
from nbdeploy.cli import main
from nbdeploy.errors import OutputError, UsageError
from tests.advising.test_costs import TODAY
from tests.serve.made import write_bundle

FOUND = Measured(
    name="pets",
    version="1.0.0",
    target="tflite",
    recipe="fp16",
    size_bytes=3_000_000,
    page_bytes=None,
    latency_ms=5.0,
    measured_on="Linux x86_64, 2 CPUs",
    payload_bytes=57_000.0,
    samples=16,
    rps=50.0,
    rps_how="given by you",
    answer_ms=None,
    arm_ms=None,
    arm_how="",
    arm="not_run",
    arm_why="",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed by a test."""
    return write_bundle(tmp_path_factory.mktemp("advised") / "bundle")


def judged(found: Measured = FOUND, prices: Any = None, **answers: Any) -> dict[str, Option]:
    """The options by their names, in their order."""
    return {one.name: one for one in options(found, Answers(**answers), read_prices(prices, None, TODAY))}


def told(option: Option, sign: str) -> str:
    return "; ".join(fact.text for fact in option.facts if fact.sign == sign).replace("\N{NO-BREAK SPACE}", " ")


def made(prices: Any = None, found: Measured = FOUND, **answers: Any) -> Advice:
    held = read_prices(prices, None, TODAY)
    return Advice(tuple(options(found, Answers(**answers), held)), found, Answers(**answers), held, TODAY)


def test_without_a_connection_what_needs_one_is_ruled_out_and_not_ranked() -> None:
    found = judged(offline=True, prices={"server": "0:EUR"})
    assert ["device", "browser", "server", "cloud"] == list(found)
    assert [1, 2, None, None] == [one.rank for one in found.values()]
    assert "it has to answer without a connection" == found["server"].ruled_out == found["cloud"].ruled_out
    assert "after the first visit" in told(found["browser"], "for")


@pytest.mark.parametrize(("privacy", "out"), [("device", {"server", "cloud"}), ("own", {"cloud"}), (None, set())])
def test_data_goes_no_further_than_it_may(privacy: str | None, out: set[str]) -> None:
    assert out == {name for name, one in judged(privacy=privacy).items() if one.ruled_out}


def test_a_budget_rules_out_what_is_known_to_cost_more_and_nothing_else() -> None:
    found = judged(budget="50:EUR", prices={"server": "0.02:EUR", "cloud/big": "0.4:EUR", "cloud/us": "0.4:USD"})
    assert (
        "292.00\N{NO-BREAK SPACE}EUR a month, over the budget of 50.00\N{NO-BREAK SPACE}EUR"
        == found["cloud/big"].ruled_out
    )
    assert "" == found["server"].ruled_out == found["browser"].ruled_out == found["cloud/us"].ruled_out
    assert "cost in USD cannot be held to a budget in EUR" in told(found["cloud/us"], "open")


def test_an_answer_that_comes_too_late_is_ruled_out() -> None:
    found = judged(within_ms=50, round_trip_ms=80, device_ms=60)
    assert "an answer takes 85.0 ms, wanted within 50.0 ms" == found["server"].ruled_out.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "an answer takes 60.0 ms" in found["device"].ruled_out.replace("\N{NO-BREAK SPACE}", " ")
    assert "no device was timed" in told(found["browser"], "open")
    assert "the way is not known" in told(judged(within_ms=50)["server"], "open")


def test_an_unknown_cost_comes_after_every_known_one_of_as_many_points() -> None:
    found = judged(prices={"cloud": "99:EUR"})
    assert ["device", "cloud", "browser", "server"] == list(found)
    assert found["server"].cost.monthly is None
    assert "cost unknown: give --price server=HOURLY:CURRENCY" == told(found["server"], "open")


def test_amounts_of_two_currencies_have_no_order() -> None:
    found = judged(prices={"server": "9:EUR", "cloud": "1:USD"})
    assert ["device", "server", "cloud", "browser"] == list(found)


def test_each_price_of_a_place_is_an_option_of_its_own() -> None:
    found = judged(prices={"ssh": "0.02:EUR", "cloud/big": "0.4:EUR", "cloudrun": "0.1:EUR"})
    titles = {one.title for one in found.values()}
    assert {"device", "browser", "own server (ssh)", "cloud (big)", "cloud (cloudrun)"} == titles


def test_a_peak_beyond_one_machine_says_how_many_it_takes() -> None:
    found = judged(peak=120, prices={"server": "0.02:EUR"})
    assert 3 == found["server"].cost.machines == found["cloud"].cost.machines
    assert "a peak of 120 a second takes 3 machines" in told(found["server"], "against")
    assert "costs nothing: each device computes its own" in told(found["device"], "for")
    assert 1 == judged(peak=50)["server"].cost.machines


def test_a_large_model_that_often_changes_runs_on_a_server() -> None:
    found = judged(replace(FOUND, size_bytes=400_000_000), updates_per_month=30, prices={"server": "0.1:EUR"})
    assert "server" == next(iter(found))
    assert "400 MB to download in an app" in told(found["device"], "against")
    assert "has to reach every device" in told(found["device"], "against")


def test_a_long_way_to_the_server_speaks_for_the_device_by_how_much_slower_it_may_be() -> None:
    found = judged(round_trip_ms=95)
    assert "100 ms an answer over the network" in told(found["device"], "for")
    assert "20.0 times slower than this machine" in told(found["device"], "for")
    assert told(found["server"], "against")
    near = judged(round_trip_ms=5)
    assert ("", "") == (told(near["device"], "for"), told(near["server"], "against"))
    timed = judged(round_trip_ms=5, device_ms=40)
    assert "40.0 ms an answer on the device" in told(timed["device"], "against")


def test_what_was_seen_on_arm64_is_said() -> None:
    assert "nbdeploy verify BUNDLE --arch aarch64" in told(judged()["device"], "open")
    assert "ARM64" in told(judged(replace(FOUND, arm="passed"))["device"], "for")
    failed = judged(replace(FOUND, arm="failed", arm_why="moved by 0.3"))["device"]
    assert "moved by 0.3" in told(failed, "against")
    timed = judged(replace(FOUND, arm_ms=900.0, arm_how="emulated"))["device"]
    assert "900 ms for the model alone, emulated" in told(timed, "plain")


def test_the_load_is_that_of_all_threads_together() -> None:
    seen: set[int] = set()

    def work(_: bytes) -> None:
        seen.add(threading.get_ident())
        time.sleep(0.01)

    rate = sustained([work, work], [b"a", b"b", b"c"], 0.3)
    assert 2 == len(seen)
    assert 0 < rate <= 200  # two threads of at most 100 a second: sleeping never takes less


def test_a_picture_that_stops_a_worker_stops_the_load_with_its_error() -> None:
    def bad(_: bytes) -> None:
        raise ValueError("no picture")

    with pytest.raises(ValueError, match="no picture"):
        sustained([bad, time.sleep], [0.001], 0.2)  # type: ignore[list-item] # a file's bytes are not looked at here


def test_it_measures_a_bundle_by_its_samples(bundle: Path) -> None:
    found = advise(bundle, seconds=0.1).measured
    assert found.rps is not None
    assert found.rps > 0
    assert "for 0.1 s here, pictures decoded, without HTTP" in found.rps_how
    sizes = [file.stat().st_size for file in (bundle / "samples").iterdir() if file.suffix != ".json"]
    assert (2, sum(sizes) / 2) == (found.samples, found.payload_bytes)
    assert (bundle / "model.onnx").stat().st_size == found.size_bytes
    assert found.latency_ms is None  # its report has none, so none is said


def test_a_rate_that_is_given_is_taken_and_nothing_is_run(bundle: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("nbdeploy.advising.measured.sustained", None)
    found = nd.advise(nd.Bundle.load(bundle), rps=7).measured
    assert (7, "given by you") == (found.rps, found.rps_how)


def test_what_cannot_be_loaded_is_not_measured_and_says_why(bundle: Path, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such op")

    monkeypatch.setattr("nbdeploy.advising.measured.Classifier", broken)
    given = advise(bundle, prices={"server": "0.02:EUR"}, seconds=0.1)
    assert given.measured.rps is None
    assert "not measured: RuntimeError: no such op" == given.measured.rps_how
    server = next(one for one in given.options if one.name == "server")
    assert server.cost.monthly is None
    assert "give --rps" in server.cost.why
    with pytest.raises(UsageError, match="no such op"):
        given.plot()


def test_a_model_that_is_no_bundle_is_made_one_of_to_measure(monkeypatch: Any) -> None:
    asked: list[Any] = []

    def deploy(model: Any, *, target: str, out: Path) -> nd.Bundle:
        asked.append((model, target))
        return nd.Bundle.load(write_bundle(out))

    monkeypatch.setattr("nbdeploy.flow.deploy", deploy)
    learn = object()
    given = advise(learn, rps=5)
    assert ("colours", True) == (given.measured.name, given.measured.passing)
    assert "Next: deploy with --target tflite." in str(given)
    assert [(learn, "onnx")] == asked


def test_wrong_use_is_said_before_anything_is_measured(bundle: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_measured", None)
    for wrong in ({"rps": 0}, {"rps": math.inf}, {"privacy": "x"}, {"arch": "arm"}, {"price_file": "nowhere.csv"}):
        with pytest.raises(UsageError):
            advise(bundle, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="in which currency: EUR or USD"):
        advise(bundle, budget=50, prices={"server": "1:EUR", "cloud": "1:USD"})


def test_a_place_without_a_bundle_is_named() -> None:
    with pytest.raises(UsageError, match="no bundle and no model nowhere"):
        advise("nowhere")


def test_a_budget_without_a_currency_is_in_that_of_the_prices(bundle: Path) -> None:
    given = advise(bundle, rps=5, budget=10, prices={"server": "1:EUR"})
    assert "10:EUR" == given.answers.budget
    assert "over the budget" in next(one.ruled_out for one in given.options if one.name == "server")


def test_the_text_says_what_decides_what_it_costs_and_what_was_not_answered() -> None:
    text = str(made({"server": "0.02:EUR"}, peak=120, requests_per_day=1e6, offline=False))
    assert text.startswith("Where pets 1.0.0 should run: device")
    assert "own server: 43.80 EUR a month (3 machines), 0.00022 EUR per 1,000, yours: 0.00144 EUR" in text
    assert "cloud: cost unknown (3 machines)" in text
    assert "per 1,000 = price an hour × 1000 / (3600 × requests a second sustained × utilisation)" in text
    assert "Utilisation 50 % (assumed)" in text
    assert "Not answered, so it decides nothing: --offline, --privacy, --round-trip-ms, --updates-per-month." in text
    assert "No price is shipped" in str(made())


def test_where_all_is_ruled_out_it_says_so() -> None:
    given = made(offline=True, within_ms=10, device_ms=60, budget="0:EUR", prices={"browser": "1:EUR"})
    assert given.best is None
    assert "should run: nowhere, as the answers are" in str(given)


def test_the_table_has_a_row_an_option_and_escapes_what_it_is_told() -> None:
    given = made({"cloud/<b>": "1:EUR"}, replace(FOUND, name="<i>"), offline=True)
    shown = given._repr_html_()
    assert 4 == shown.count('<th scope="row"')
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "✗\N{NO-BREAK SPACE}ruled out: it has to answer without a connection" in shown


def test_the_figure_has_a_line_a_price_and_no_line_for_what_costs_nothing_or_is_unknown() -> None:
    figure = made({"server": "0.02:EUR", "cloud": "0.4:EUR"}, requests_per_day=1e5, budget="50:EUR").plot()
    (panel,) = figure.axes
    assert ("log", "log") == (panel.get_xscale(), panel.get_yscale())
    legend = panel.get_legend()
    assert legend is not None
    assert ["own server", "cloud (ruled out)"] == [text.get_text() for text in legend.get_texts()]
    assert "0, so not on a log axis: device.\nCost unknown: browser." in figure.get_supxlabel()
    server = panel.lines[0]
    assert pytest.approx(0.02 * 730) == min(server.get_ydata())


def test_the_figure_has_a_panel_a_currency_and_hours_without_a_price() -> None:
    titles = [panel.get_title("left") for panel in made({"server": "1:EUR", "cloud": "1:USD"}).plot().axes]
    assert ["A month's cost, EUR", "A month's cost, USD"] == titles
    (panel,) = made().plot().axes
    assert "Hours of machines a month: no price is given" == panel.get_title("left")
    assert pytest.approx(730) == min(panel.lines[0].get_ydata())
    assert 1 == len(made({"server": "0:EUR"}).plot().axes)  # nothing to draw is no failure


def test_the_terminal_gives_one_document_and_draws_where_it_is_told(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = tmp_path / "cost.png"
    line = ["advise", str(bundle), "--rps", "20", "--peak", "50", "--price", "server=0.36:EUR", "--plot", str(figure)]
    assert 0 == main([*line, "--json"])
    given = json.loads(capsys.readouterr().out)
    server = next(one for one in given["options"] if one["name"] == "server")
    assert (3, pytest.approx(0.01), pytest.approx(3 * 0.36 * 730)) == tuple(
        server["cost"][key] for key in ("machines", "per_1000", "monthly")
    )
    assert "EUR" == server["cost"]["price"]["currency"]
    assert None is next(one for one in given["options"] if one["name"] == "cloud")["cost"]["monthly"]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert 1 == main([*line, "--json"])  # nothing is overwritten
    assert "OutputError" == json.loads(capsys.readouterr().out)["error"]["code"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--price", "server"], "takes NAME=HOURLY:CURRENCY, not server"),
        (["--privacy", "owm"], 'Did you mean "own"'),
        (["--utilisation", "2"], "takes a share above 0, up to 1, not 2"),
        (["--plot", "cost.gif"], "ends in .png, .svg or .pdf"),
        (["--plot", "nowhere/cost.png"], "There is no folder"),
    ],
)
def test_wrong_use_in_the_terminal_says_what_would_be_right(
    bundle: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advise", str(bundle), "--rps", "5", *words]) in {1, 2}
    assert says in capsys.readouterr().err


def test_the_terminal_needs_neither_torch_nor_fastai(bundle: Path) -> None:
    script = (
        "import sys\nfrom nbdeploy.cli import main\n"
        f"assert main(['advise', {str(bundle)!r}, '--seconds', '0.1']) == 0\n"
        "print([name for name in ('torch', 'fastai', 'IPython', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.splitlines()[-1]


def test_a_figure_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    from nbdeploy.advising.chart import save

    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        save(made(), tmp_path / "file" / "cost.png")
