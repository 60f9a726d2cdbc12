"""Small tables and texts whose answer is plain, and Programs made of them in a second."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import nbdeploy as nd

WORDS = {
    "fruit": "apple pear plum cherry banana",
    "ville 🏙": "street bridge tower station market",
    "sea": "wave shore ship harbour tide",
}


def plants(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two numbers with gaps, a category with an odd name, a flag, a key and a constant; the kind follows from them."""
    numbers = np.random.default_rng(seed)
    kind = numbers.integers(0, 3, rows)
    height = np.round(kind * 10 + numbers.normal(5, 1, rows), 2)
    height[numbers.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "height cm": height,
            "leaves": kind * 4 + numbers.integers(1, 4, rows),
            "soil": np.array(["sand", "ton, schwer", "loam"])[(kind + (numbers.random(rows) < 0.15)) % 3],
            "wild": numbers.random(rows) < 0.5,
            "key": [f"P{at:05d}" for at in range(rows)],
            "place": "garden",
            "kind": np.array(["Fern", "Moss", "Öl-Baum"])[kind],
        }
    )


def sayings(each: int = 30, seed: int = 0) -> pd.DataFrame:
    """Short texts of three topics."""
    numbers = np.random.default_rng(seed)
    rows = []
    for topic, words in WORDS.items():
        for _ in range(each):
            picked = numbers.choice(words.split(), 3)
            rows.append((f"the {picked[0]} and a {picked[1]}, {picked[2]}!", topic))
    return pd.DataFrame(rows, columns=["said", "topic"])


@cache
def table_learner() -> Any:
    """Trained for two epochs; not to be changed."""
    return nd.train(plants(), label="kind", epochs=2)


@cache
def text_learner() -> Any:
    """Trained for eight epochs; not to be changed."""
    return nd.train(sayings(), label="topic", text="said", epochs=8)


@cache
def program_of(kind: str) -> nd.Program:
    """The Program of rows (``table``) or of texts (``text``)."""
    return nd.export(table_learner() if kind == "table" else text_learner(), name=f"tiny-{kind}")
