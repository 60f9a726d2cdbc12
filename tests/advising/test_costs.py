"""Costs by the formula, worked out by hand; prices that only the user gives; answers that are checked."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from nbdeploy.advising.answers import Answers
from nbdeploy.advising.costs import machines, month_at, of_machines, of_page, per_1000
from nbdeploy.advising.prices import age, option_of, read_prices
from nbdeploy.errors import UnknownName, UsageError
from nbdeploy.providers.base import Price

TODAY = dt.date(2026, 11, 25)
PRICE = Price(0.36, "EUR", "a machine", "given by you", "2026-11-25")


def test_the_cost_of_1000_is_that_of_the_formula() -> None:
    """0.36 an hour; 20 a second half used are 36,000 an hour: 0.01 for 1,000."""
    assert pytest.approx(0.01) == per_1000(0.36, 20, 0.5)


@pytest.mark.parametrize(
    ("peak", "mean", "count"),
    [(None, None, 1), (20, None, 1), (20.5, None, 2), (99, 1, 5), (None, 10, 1), (None, 10.1, 2), (30, 45, 5)],
)
def test_the_peak_is_met_in_full_and_the_mean_at_its_utilisation(
    peak: float | None, mean: float | None, count: int
) -> None:
    assert count == machines(20, 0.5, mean=mean, peak=peak)


def test_a_month_is_730_hours_of_every_machine() -> None:
    cost = of_machines(PRICE, 20, Answers(peak=50), "server")
    assert (3, "EUR") == (cost.machines, cost.currency)
    assert pytest.approx(3 * 0.36 * 730) == cost.monthly
    assert cost.per_1000_at_load is None


def test_what_1000_cost_at_the_own_load_is_the_formula_at_the_utilisation_that_comes_of_it() -> None:
    cost = of_machines(PRICE, 20, Answers(requests_per_day=86_400, peak=50), "server")
    assert pytest.approx(1 / 60) == cost.busy
    assert cost.busy is not None
    assert pytest.approx(per_1000(0.36, 20, cost.busy)) == cost.per_1000_at_load


def test_without_a_price_or_a_rate_the_cost_is_unknown_and_never_0() -> None:
    for cost in (
        of_machines(None, 20, Answers(peak=50), "cloud"),
        of_machines(PRICE, None, Answers(), "server"),
        of_page(None, Answers(requests_per_day=10)),
    ):
        assert (None, None, None) == (cost.monthly, cost.per_1000, cost.per_1000_at_load)
        assert cost.why.startswith("unknown: give --")


def test_at_another_load_the_peak_grows_in_proportion() -> None:
    answers = Answers(requests_per_day=86_400, peak=20)
    assert pytest.approx(1 * 0.36 * 730) == month_at(86_400, 0.36, 20, answers)
    assert pytest.approx(10 * 0.36 * 730) == month_at(864_000, 0.36, 20, answers)


@pytest.mark.parametrize(
    ("name", "option"),
    [("server", "server"), ("ssh", "server"), ("cloudrun", "cloud"), ("cloud/big", "cloud"), ("browser", "browser")],
)
def test_a_price_belongs_to_the_option_that_its_name_says(name: str, option: str) -> None:
    assert option == option_of(name)


def test_a_misspelt_place_is_suggested_and_not_priced() -> None:
    with pytest.raises(UnknownName, match='Did you mean "server"'):
        read_prices({"sever": "0.1:EUR"}, None, TODAY)
    with pytest.raises(UnknownName, match="device"):
        read_prices({"device": "0.1:EUR"}, None, TODAY)


def test_a_price_without_a_date_is_of_today_and_an_old_one_says_its_age() -> None:
    held = read_prices({"server": "0.02:eur", "cloud": "0.4:USD:2026-01-01"}, None, TODAY)
    assert Price(0.02, "EUR", "a machine", "given by you", "2026-11-25") == held["server"]
    assert "given by you, 2026-11-25 (today)" == age(held["server"], TODAY)
    assert "given by you, 2026-01-01 (328 days old, look again)" == age(held["cloud"], TODAY)


@pytest.mark.parametrize(
    "text", ["", "0.02", "0.02:EURO", "-1:EUR", "1e999:EUR", "nan:EUR", "1.2.3:EUR", "0.1:EUR:2026-13-01", "free:EUR"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_prices({"server": text}, None, TODAY)


def test_a_price_of_a_day_to_come_is_refused() -> None:
    with pytest.raises(UsageError, match="to come"):
        read_prices({"server": "0.1:EUR:2026-11-26"}, None, TODAY)


@pytest.mark.parametrize("kind", ["csv", "json", "list"])
def test_prices_are_read_from_a_file_and_one_that_is_typed_wins(tmp_path: Path, kind: str) -> None:
    rows = {
        "server": {"hourly": 0.02, "currency": "EUR", "of": "2 vCPU", "source": "the invoice", "date": "2026-11-01"},
        "cloud": {"hourly": 0.3, "currency": "EUR"},
    }
    file = tmp_path / ("prices.csv" if kind == "csv" else "prices.json")
    if kind == "csv":
        text = "name,hourly,currency,of,source,date\nserver,0.02,EUR,2 vCPU,the invoice,2026-11-01\ncloud,0.3,EUR,,,\n"
    else:
        text = json.dumps(rows if kind == "json" else [{"name": name, **row} for name, row in rows.items()])
    file.write_text(text, encoding="utf-8")
    held = read_prices({"cloud": "0.5:EUR"}, file, TODAY)
    assert Price(0.02, "EUR", "2 vCPU", "the invoice", "2026-11-01") == held["server"]
    assert 0.5 == held["cloud"].hourly
    assert "given by you, no date" == age(read_prices(None, file, TODAY)["cloud"], TODAY)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", "[]"),
        ("a.json", "[3]"),
        ("a.json", '{"server": 3}'),
        ("a.csv", "name,hourly\nserver,0.1\n"),
        ("a.csv", "name,hourly,currency\nserver,cheap,EUR\n"),
        ("a.csv", "\x00"),
    ],
)
def test_a_file_of_no_prices_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        read_prices(None, tmp_path / name, TODAY)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.csv cannot be read"):
        read_prices(None, "nowhere.csv", TODAY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"privacy": "public"},
        {"peak": 0},
        {"peak": float("nan")},
        {"requests_per_day": -1},
        {"requests_per_day": True},
        {"round_trip_ms": "80"},
        {"utilisation": 1.5},
        {"utilisation": 0},
        {"budget": "cheap"},
        {"budget": "50:EURO"},
        {"budget": -5},
        {"requests_per_day": 864_000, "peak": 9},
    ],
)
def test_an_answer_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Answers(**wrong)
