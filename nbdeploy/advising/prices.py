"""Prices of machines by the hour, as the user gives them. nbdeploy ships none, and makes none up."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbdeploy.errors import UnknownName, UsageError
from nbdeploy.providers.base import Price

PLACES = {
    "browser": "browser",
    "server": "server",
    **dict.fromkeys(("cloudinit", "container", "kubernetes", "local", "ray", "ssh"), "server"),
    "cloud": "cloud",
    **dict.fromkeys(
        ("azureml", "cloudrun", "flyio", "heroku", "huggingface", "render", "sagemaker", "vertex"), "cloud"
    ),
}
"""What a price can be of -> the option that it belongs to; ``server/NAME`` and ``cloud/NAME`` are taken too."""
OLD_DAYS = 180
"""From this age on a price is said to be old."""
_PRICE = re.compile(r"([0-9.]+(?:e-?\d+)?):([A-Za-z]{3})(?::(\d{4}-\d\d-\d\d))?")
_HOW = "Type: --price server=0.02:EUR (an hour), --price cloud/big=0.40:USD:2026-11-01 (read on that day)"


def option_of(name: str) -> str:
    """The option that a price of that name belongs to. Raises UnknownName."""
    above, _, label = name.partition("/")
    if label and above in {"server", "cloud"}:
        return above
    if name not in PLACES:
        raise UnknownName("place to give a price of", name, [*PLACES, "server/NAME", "cloud/NAME"])
    return PLACES[name]


def read_prices(given: Mapping[str, Any] | None, file: str | Path | None, today: dt.date) -> dict[str, Price]:
    """Name -> Price, from `file` (.json or .csv) and `given`, which wins. Raises UsageError.

    A value of `given` is a Price, ``"HOURLY:CURRENCY"`` or ``"HOURLY:CURRENCY:DATE"``; `today` is the date of those
    that say none.
    """
    found: dict[str, Price] = {}
    for name, row in [*(_rows(Path(file)) if file is not None else ()), *(given or {}).items()]:
        option_of(name)
        price = (
            row if isinstance(row, Price) else _of_row(name, row) if isinstance(row, Mapping) else _of_text(row, today)
        )
        if not math.isfinite(price.hourly) or price.hourly < 0 or not re.fullmatch("[A-Z]{3}", price.currency):
            raise UsageError(f'The price of "{name}" is no amount an hour with a currency of 3 letters.', hint=_HOW)
        if price.date:
            _date(price.date, today)
        found[name] = price
    return found


def age(price: Price, today: dt.date) -> str:
    """Where a price is from and how old it is: ``given by you, 2026-11-01 (24 days old)``."""
    if not price.date:
        return f"{price.source}, no date"
    days = (today - dt.date.fromisoformat(price.date)).days
    old = "today" if days == 0 else f"{days} day{'s' if days > 1 else ''} old"
    return f"{price.source}, {price.date} ({old}{', look again' if days > OLD_DAYS else ''})"


def _of_text(text: Any, today: dt.date) -> Price:
    found = _PRICE.fullmatch(str(text).strip())
    try:
        hourly = float(found[1]) if found else math.nan
    except ValueError:
        hourly = math.nan
    if not found or math.isnan(hourly):
        raise UsageError(f'"{text}" is no price.', hint=_HOW)
    return Price(hourly, found[2].upper(), "a machine", "given by you", found[3] or today.isoformat())


def _of_row(name: str, row: Mapping[str, Any]) -> Price:
    try:
        hourly, currency = float(row["hourly"]), str(row["currency"]).strip().upper()
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f'The price of "{name}" needs hourly (a number) and currency.', hint="For example: server,0.02,EUR"
        ) from error
    of, source, date = (str(row.get(key) or "").strip() for key in ("of", "source", "date"))
    return Price(hourly, currency, of or "a machine", source or "given by you", date)


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Names and rows of a file: JSON ``{name: {"hourly", "currency", ...}}`` or ``[{"name", ...}]``, or a CSV."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        held: Any = json.loads(text) if file.suffix.lower() == ".json" else list(csv.DictReader(text.splitlines()))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as prices ({error}).", hint="Give a .json or .csv file.") from error
    if isinstance(held, Mapping):
        held = [{"name": name, **(row if isinstance(row, Mapping) else {})} for name, row in held.items()]
    if not isinstance(held, list) or not held or not all(isinstance(row, Mapping) and row.get("name") for row in held):
        raise UsageError(
            f"{file} lists no prices.", hint="Its columns: name,hourly,currency and if you like of,source,date."
        )
    for row in held:
        yield str(row["name"]).strip(), row


def _date(text: str, today: dt.date) -> None:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'"{text}" is no date.', hint="Type it as 2026-11-01.") from error
    if day > today:
        raise UsageError(f"A price cannot have been read on {text}: that day is to come.", hint="Take the day it was.")
