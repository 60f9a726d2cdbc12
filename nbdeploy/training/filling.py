"""What is put in the place of missing numbers, also in columns that missed none in training."""

from __future__ import annotations

from typing import Any

import pandas as pd
from fastai.tabular import core


class FillMissing(core.FillMissing):  # type: ignore[misc]
    """fastai's own, but it fills a column that only later rows miss too: a person may leave out any value."""

    def setups(self, to: Any) -> None:
        self.na_dict = {name: self._usual(to[name]) for name in to.cont_names}
        self.flagged = [name for name in to.cont_names if to[name].isna().any()]

    def encodes(self, to: Any) -> None:
        for name in self.flagged:
            to[f"{name}_na"] = to[name].isna()
            if f"{name}_na" not in to.cat_names:
                to.cat_names.append(f"{name}_na")
        for name, value in self.na_dict.items():
            to[name] = to[name].fillna(value)

    @staticmethod
    def _usual(values: pd.Series) -> float:
        middle = float(values.median())
        return middle if middle == middle else 0.0  # noqa: PLR0124 - NaN where every value is missing
