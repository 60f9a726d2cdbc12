"""What the collector's page and its static view show of pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from nbdeploy.core.look import Html, head, output, quiet, sign, table, thumbnail
from nbdeploy.data.collect.boxes import decoders
from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.contents import Count
from nbdeploy.data.collect.items import Item
from nbdeploy.data.records import count, short, shown

_SIDE = 144  # twice what is shown, for sharp screens
_EXAMPLES = 12


def row_of(item: Item) -> dict[str, Any]:
    """One item as the page gets it."""
    return {
        "id": item.id,
        "status": item.status,
        "label": item.label,
        "file": item.file,
        "source": str(item.source),
        "size": list(item.size),
        "session": item.session,
        "badges": [[badge.kind, badge.words, badge.weight] for badge in item.badges],
    }


def thumbs(folder: Path, items: list[Item]) -> list[bytes]:
    """A small WebP of each, empty where there is no picture to show. As training sees it: EXIF is not applied."""
    return [_thumb(folder / item.file) if item.file else b"" for item in items]


def _thumb(path: Path) -> bytes:
    try:
        with Image.open(path, formats=decoders()) as opened:
            opened.draft("RGB", (_SIDE, _SIDE))
            picture = ImageOps.fit(opened.convert("RGB"), (_SIDE, _SIDE), Image.Resampling.BILINEAR)
        data = io.BytesIO()
        picture.save(data, "WEBP", quality=75)
    except Exception:  # noqa: BLE001 - a look never fails: the file may be gone since
        return b""
    return data.getvalue()


def static(collection: Collection) -> str:
    """A fragment of HTML for a notebook that is opened without a kernel: the counts, and the pictures added last."""
    counts = collection.counts
    most = max((one.train + one.held for one in counts.values()), default=1) or 1
    rows = [
        (
            short(label),
            f"{one.train:,}",
            f"{one.held:,}",
            _bar(one, most),
            sign("warned", "one session") if one.alone else "",
        )
        for label, one in counts.items()
    ]
    kept = [item for item in collection.items if item.status == "kept"][-_EXAMPLES:]
    refused = sum(item.status == "refused" for item in collection.items)
    last = Html("".join(thumbnail(collection.folder / item.file) for item in kept))
    heads = ("Class", "Train", "Held out", "Beside the largest class", "")
    return output(
        head(f"{count(len(collection), 'picture')} collected in {count(len(counts), 'class')}"),
        quiet(shown(collection.folder)),
        table(rows, "hnnwl", heads=heads, css="nbd-full nbd-mid") if rows else "",
        Html(f"<div>{last}</div>") if kept else "",
        quiet(f"{count(refused, 'file')} not stored: see collected.jsonl") if refused else "",
        quiet("Run the cell to go on collecting."),
    )


def _bar(one: Count, most: int) -> Html:
    return Html(
        f'<div class="nbd-bar" aria-hidden="true"><span class="nbd-train" style="width:{100 * one.train / most:.1f}%">'
        f'</span><span class="nbd-held" style="width:{100 * one.held / most:.1f}%"></span></div>'
    )
