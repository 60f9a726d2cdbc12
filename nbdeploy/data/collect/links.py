"""Lists of links: read them, fetch what is missing, and put it into a collection."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nbdeploy.core.progress import track
from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.fetch import Fetched, Fetcher
from nbdeploy.data.collect.items import Badge, Item, Source, new_session
from nbdeploy.data.collect.place import check_label
from nbdeploy.data.records import count, names, short, shown
from nbdeploy.errors import DataError, NbdeployWarning

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet

Pair = tuple[str, str]
"""Address, label."""
IS_LINK = re.compile(r"(?:https?://|data:image/)", re.IGNORECASE)
_MOST_LINKS = 1_000_000
_HEADS = {"url", "urls", "link", "links", "address", "image", "image_url", "path", "file", "filename", "src"}
_LABEL_HEADS = {"label", "labels", "class", "category", "target"}


def paired(urls: Iterable[str], labels: str | Sequence[str]) -> list[Pair]:
    """Each address with its label. Raises DataError."""
    every = list(urls)
    if isinstance(labels, str):
        return [(url.strip(), labels) for url in every]
    if len(labels) != len(every):
        raise DataError(
            f"{count(len(every), 'link')} and {count(len(labels), 'label')}.",
            hint="Give one label for all of them, or one label a link.",
        )
    return [(url.strip(), label) for url, label in zip(every, labels, strict=True)]


def read_lines(text: str, label: str = "") -> list[Pair]:
    """(address or path, label) of every line: one address a line, or a table with a label; ``#`` begins a remark.

    `label` is for lines without one. Raises DataError where neither is there.
    """
    rows = [row for row in _rows(text) if row]
    at_link, at_label = 0, 1
    if rows and not any(IS_LINK.match(cell) for cell in rows[0]):
        heads = [cell.lower() for cell in rows[0]]
        if set(heads) & _HEADS:
            at_link = next(i for i, head in enumerate(heads) if head in _HEADS)
            at_label = next((i for i, head in enumerate(heads) if head in _LABEL_HEADS), -1)
            rows = rows[1:]
    found: list[Pair] = []
    for row in rows:
        here, there = at_link, at_label
        if len(row) > 1 and not IS_LINK.match(row[here]) and IS_LINK.match(row[1]):
            here, there = 1, 0  # "cat, https://..." is as clear as the other way round
        named = row[there].strip() if 0 <= there < len(row) else ""
        if here >= len(row) or not row[here].strip():
            continue
        if not (named or label):
            raise DataError(
                f"{short(row[here], 80)} has no label.", hint="Write “address, label”, or choose a class for all."
            )
        found.append((row[here].strip(), named or label))
    if len(found) > _MOST_LINKS:
        raise DataError(f"{count(len(found), 'link')} at once.", hint=f"Give at most {_MOST_LINKS:,}.")
    return found


def _rows(text: str) -> Iterator[list[str]]:
    lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return
    # A data: address holds a comma and a semicolon of its own.
    if all(line.lstrip()[:5].lower() == "data:" for line in lines):
        yield from ([line.strip()] for line in lines)
        return
    delimiter = max(",;\t", key=lines[0].count)
    for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, skipinitialspace=True):
        yield [cell.strip() for cell in row]


def read_list(path: Path, label: str = "") -> list[Pair]:
    """`read_lines` of a .csv, .tsv or .txt. Raises DataError."""
    try:
        if path.stat().st_size > 1 << 30:
            raise DataError(f"{shown(path)} is larger than 1 GB.", hint="Split the list.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path)} is not UTF-8 text ({error.reason}).", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read ({error.strerror}).", hint="Give a list of links.") from error
    try:
        return read_lines(text, label)
    except csv.Error as error:
        raise DataError(f"{shown(path)} cannot be read as a table ({error}).", hint="Save it as CSV UTF-8.") from error


def add_links(
    collection: Collection,
    pairs: Sequence[Pair],
    *,
    fetcher: Fetcher | None = None,
    batch: str = "",
    seen: Callable[[Item], None] | None = None,
) -> Iterator[Item]:
    """Fetch the links that were not collected before, and give their Items as they come in.

    One address is fetched once, also where it stands under several labels: then the first label holds.
    Raises DataError for a label that cannot be.
    """
    labels: dict[str, str] = {}
    for url, label in pairs:
        labels.setdefault(url, check_label(label))
    there = {item.source.name for item in collection.items if item.source.kind == "url" and item.status != "refused"}
    todo = [url for url in labels if url not in there]
    session = new_session("links")
    fetcher = fetcher or Fetcher()
    found = fetcher.fetch_all(todo)
    try:
        for one in track(found, "fetching", total=len(todo)):
            item = _taken(collection, one, labels[one.url], session, batch or session)
            if seen is not None:
                seen(item)
            yield item
    finally:
        found.close()  # type: ignore[attr-defined]


def _taken(collection: Collection, one: Fetched, label: str, session: str, batch: str) -> Item:
    inline = one.url[:5].lower() == "data:"
    source = Source("url", one.url if len(one.url) <= 2048 else one.url[:2047] + "…")  # noqa: PLR2004 - as browsers do
    if one.why:
        return collection.refuse(
            label, Badge("unreadable", one.why, "bad"), source=source, session=session, batch=batch
        )
    name = "inline" if inline else Path(unquote(urlsplit(one.url).path)).name
    return collection.take(one.data, label, source=source, session=session, batch=batch, name=name)


def from_urls(
    urls: Iterable[str] | Mapping[str, Iterable[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    labels: str | Sequence[str] | None,
    valid: float,
    seed: int,
) -> ImageSet:
    """What ``ImageSet.from_urls`` does."""
    pairs = _pairs(urls, labels)
    if not pairs:
        raise DataError("There are no links.", hint="Give a list of http(s) addresses, or a table with url and label.")
    collection = Collection(out, valid=valid, seed=seed)
    collection.look()
    failed = {item.source.name: item for item in add_links(collection, pairs) if item.status == "refused"}
    if refused := [failed[url] for url, _ in pairs if url in failed]:
        examples = names(f"{short(item.source.name, 80)} ({item.said})" for item in refused)
        warnings.warn(
            f"{count(len(refused), 'link')} of {len(pairs):,} not collected: {examples}. A second call tries again.",
            NbdeployWarning,
            stacklevel=3,
        )
    return collection.images


def _pairs(
    urls: Iterable[str] | Mapping[str, Iterable[str]] | str | os.PathLike[str], labels: str | Sequence[str] | None
) -> list[Pair]:
    if isinstance(urls, Mapping):
        return [(url.strip(), label) for label, some in urls.items() for url in some]
    if isinstance(urls, str) and IS_LINK.match(urls):
        urls = [urls]
    if isinstance(urls, str | os.PathLike):
        if labels is not None and not isinstance(labels, str):
            raise DataError("A table has its labels in a column.", hint="Leave labels= out, or give one for all.")
        return read_list(Path(urls), labels or "")
    if labels is None:
        raise DataError(
            "Links need labels.", hint='Pass labels="cat", one label a link, or {"cat": [...], "dog": [...]}.'
        )
    return paired(urls, labels)
