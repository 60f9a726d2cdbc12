"""The cards of the named data sets: what each is, where it comes from, and how it becomes a folder."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbdeploy.errors import UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One data set. It is read from ``datasets/NAME.toml``."""

    name: str
    title: str
    what: str
    source: str
    """Address of the page that describes it."""
    licence: str
    classes: int
    files: int
    """Number of pictures."""
    bytes: int
    """Of the download, or, for one that is made here, about what its files take."""
    checksum: str
    """``sha256:...`` over labels and pixels for one made here; ``md5-1MiB:...``, the MD5 of the download's first MiB,
    which fastai compares, for one that is fetched."""
    loader: str
    """``"digits"``: made here, offline. ``"fastai"``: fetched by fastai's ``untar_data``."""
    folder: str
    """In words: how it is made into a folder."""
    url: str = ""
    """The name of its address in fastai's ``URLs``."""
    arrange: dict[str, Any] = field(default_factory=dict)
    """How the fetched tree is read: `kind` (by_name, by_list, by_folder) and what that kind needs."""

    @property
    def offline(self) -> bool:
        """Whether it works without internet."""
        return self.loader != "fastai"


def dataset_cards() -> dict[str, Card]:
    """Every data set by name, those that work offline first."""
    cards = [Card(name=path.stem, **tomllib.loads(path.read_text("utf-8"))) for path in _cards_dir().glob("*.toml")]
    return {card.name: card for card in sorted(cards, key=lambda card: (not card.offline, card.name))}


def card(name: str) -> Card:
    """The card of one data set. Raises UnknownName."""
    cards = dataset_cards()
    if name not in cards:
        raise UnknownName("data set", name, cards)
    return cards[name]


def _cards_dir() -> Path:
    """Inside the package where it is installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_cards"
    return installed if installed.is_dir() else package.parent / "datasets"
