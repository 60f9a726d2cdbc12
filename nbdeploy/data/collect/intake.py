"""Anything a person may give to a collection: pictures, folders, archives, tables, links, videos, data sets."""

from __future__ import annotations

import io
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbdeploy.core.files import sha256_of
from nbdeploy.core.progress import track
from nbdeploy.data.archive import unpack
from nbdeploy.data.collect import coco, voc, yolo
from nbdeploy.data.collect.boxes import Annotated, Pictures, crops
from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.frames import ENDINGS as VIDEOS
from nbdeploy.data.collect.frames import frames
from nbdeploy.data.collect.items import Badge, Item, Source, new_session
from nbdeploy.data.collect.links import IS_LINK, add_links, read_list
from nbdeploy.data.collect.place import staged
from nbdeploy.data.listing import EXTENSIONS, list_folder, only_folder
from nbdeploy.data.records import count, names, shown
from nbdeploy.errors import DataError, NbdeployWarning

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
TABLES = (".csv", ".tsv", ".txt")
_QUALITY = 95


@dataclass(frozen=True)
class _Intake:
    """One act of adding: everything in it is one batch."""

    collection: Collection
    label: str
    every: float
    crop: bool
    batch: str
    tell: Callable[[str], None]

    def anything(self, what: str | os.PathLike[str]) -> Iterator[Item]:
        if isinstance(what, str) and IS_LINK.match(what):
            yield from add_links(self.collection, [(what, self._label(what))], batch=self.batch)
            return
        path = Path(os.path.abspath(what))
        name = path.name.lower()
        if path.is_dir():
            yield from self.folder(path)
        elif not path.exists():
            raise DataError(f"There is no file or folder {shown(path)}.", hint="Give pictures, a folder or a link.")
        elif name.endswith(ARCHIVES):
            yield from self.archive(path)
        elif name.endswith(TABLES):
            yield from self.table(path)
        elif path.suffix.lower() in VIDEOS:
            yield from self.video(path, self._label(path.name))
        elif name.endswith(".json"):
            yield from self.annotated("coco", list(coco.read(path, Pictures(path.parent))), path.parent)
        else:
            yield self.picture(path, self._label(path.name), path.name)

    def _label(self, name: str) -> str:
        if not self.label:
            raise DataError(f"{shown(name)} has no class.", hint='Say which: add(..., label="cat").')
        return self.label

    def picture(self, path: Path, label: str, name: str) -> Item:
        return self.collection.take(
            path, label, source=Source("file", shown(name)), session=self.batch, batch=self.batch, name=path.name
        )

    def folder(self, root: Path) -> Iterator[Item]:
        kind, found = recognised(root)
        if kind:
            yield from self.annotated(kind, found, root)
            return
        listing = list_folder(root, loose=True)
        if not listing.candidates:
            # A video or a list in a folder is what was meant by it.
            others = sorted(p for p in root.iterdir() if p.suffix.lower() in VIDEOS or p.suffix.lower() == ".csv")
            if not others:
                raise DataError(f"No pictures in {shown(root)}.", hint="Give a folder with pictures in it.")
            for other in others:
                yield from self.anything(other)
            return
        for text in listing.remarks:
            self.tell(text)
        if passed := [f"{number:,} {what}" for what, number in sorted(listing.skipped.items())]:
            self.tell(f"Passed over in {shown(root.name)}: {', '.join(passed)}.")
        for one in track(listing.candidates, "adding pictures"):
            yield self.picture(one.path, one.label or self._label(one.name), one.name)

    def archive(self, path: Path) -> Iterator[Item]:
        place = staged(self.collection.folder)
        try:
            folder, remarks = unpack(path, place)
            for text in remarks:
                self.tell(text)
            yield from self.folder(only_folder(folder))
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def table(self, path: Path) -> Iterator[Item]:
        pairs = read_list(path, self.label)
        links = [pair for pair in pairs if IS_LINK.match(pair[0])]
        for name, label in track([pair for pair in pairs if not IS_LINK.match(pair[0])], "adding pictures"):
            place = Path(name.replace("\\", "/")) if "\\" in name and os.sep == "/" else Path(name)
            yield self.picture(path.parent / place, label, name)
        yield from add_links(self.collection, links, batch=self.batch)

    def video(self, path: Path, label: str) -> Iterator[Item]:
        session = new_session("video")
        for frame in track(frames(path, every=self.every), f"frames of {shown(path.name)}", unit="frame"):
            data = io.BytesIO()
            frame.image.save(data, "JPEG", quality=_QUALITY, subsampling=0)
            yield self.collection.take(
                data.getvalue(),
                label,
                source=Source("video", shown(path.name), f"at {frame.second:.2f} s"),
                session=session,
                batch=self.batch,
                name=f"{path.stem}-{frame.second:07.2f}s.jpg".replace(".", "-", 1),
            )

    def annotated(self, kind: str, found: Sequence[Annotated], root: Path) -> Iterator[Item]:
        several = sum(bool(one.others) for one in found)
        if several and not self.crop:
            self.tell(
                f"{count(several, 'picture')} with boxes of several classes: each has the class of most of its boxes. "
                "With crop=True each box becomes a picture."
            )
        for one in track(found, f"adding pictures ({kind})"):
            name = shown(one.path.relative_to(root).as_posix() if one.path.is_relative_to(root) else one.path.name)
            if one.missing:
                badge = Badge("unreadable", "the annotations name it, and it is not there", "bad")
                yield self._refuse(kind, one.label, name, badge)
            elif self.crop and any(box.area for box in one.boxes):
                yield from self._cut(kind, one, name)
            else:
                also = f"also {', '.join(one.others)}" if one.others else ""
                yield self.collection.take(
                    one.path, one.label, source=Source(kind, name, also), session=self.batch, batch=self.batch
                )

    def _cut(self, kind: str, one: Annotated, name: str) -> Iterator[Item]:
        group = sha256_of(one.path)  # what was cut out of one picture stays together
        try:
            cut = list(crops(one.path, one.boxes))
        except Exception as error:  # noqa: BLE001 - decoders raise nearly anything on broken files
            yield self._refuse(kind, one.label, name, Badge("unreadable", f"cannot be cut ({error})", "bad"))
            return
        if len(cut) < len(one.boxes):
            self.tell(f"{name}: {count(len(one.boxes) - len(cut), 'box')} too small to cut out.")
        for number, (box, data) in enumerate(cut, 1):
            yield self.collection.take(
                data,
                box.label,
                source=Source(kind, name, box.detail),
                session=self.batch,
                batch=self.batch,
                name=f"{one.path.stem}-{number}.png",
                group=group,
            )

    def _refuse(self, kind: str, label: str, name: str, badge: Badge) -> Item:
        source = Source(kind, name)
        return self.collection.refuse(label, badge, source=source, session=self.batch, batch=self.batch)


def recognised(root: Path) -> tuple[str, list[Annotated]]:
    """The form of data set that `root` has (``coco voc yolo``, or nothing) and its pictures. Raises DataError."""
    if found := coco.files_of(root):
        pictures = Pictures(root)
        return "coco", [one for path in found for one in coco.read(path, pictures)]
    if folders := voc.folders_of(root):
        pictures = Pictures(root)
        return "voc", [one for folder in folders for one in voc.read(folder, pictures)]
    if names_file := yolo.file_of(root):
        return "yolo", list(yolo.read(names_file, Pictures(root)))
    return "", []


def add(
    collection: Collection,
    what: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    label: str = "",
    *,
    every: float = 0.5,
    crop: bool = False,
    seen: Callable[[Item], None] | None = None,
    tell: Callable[[str], None] | None = None,
    batch: str = "",
) -> Iterator[Item]:
    """What ``Collection.add`` does, one Item at a time."""
    several = [what] if isinstance(what, str | os.PathLike) else list(what)
    act = _Intake(collection, label, every, crop, batch or new_session("added"), tell or _warn)
    for one in several:
        for item in act.anything(one):
            if seen is not None:
                seen(item)
            yield item


def _warn(text: str) -> None:
    warnings.warn(text, NbdeployWarning, stacklevel=2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What files would become, by their names alone."""

    kind: str
    """``pictures`` (each needs a class), ``classes`` (folders name them), ``set`` (annotations do), ``whole`` (one
    archive, table or video, to be looked into), or ``nothing``."""
    labels: tuple[tuple[str, int], ...] = ()
    """Class -> number of pictures, where folders name them."""
    pictures: int = 0
    words: str = ""


def plan(files: Sequence[str]) -> Plan:
    """What relative paths with forward slashes would become, when dropped together."""
    parts = [name.split("/") for name in files]
    visible = [row for row in parts if not any(part.startswith(".") or part == "__MACOSX" for part in row)]
    while visible and all(len(row) > 2 and row[0] == visible[0][0] for row in visible):  # noqa: PLR2004 - root/class/name
        visible = [row[1:] for row in visible]
    lower = ["/".join(row).lower() for row in visible]
    inside = {part for row in visible for part in row[:-1]}
    pictures = [row for row, name in zip(visible, lower, strict=True) if _ending(name) in EXTENSIONS]
    is_set = any(
        (name.endswith(".json") and bool(pictures))
        or (name.endswith(".xml") and "Annotations" in inside)
        or (_ending(name) in {".yaml", ".yml"} and "labels" in inside)
        for name in lower
    )
    if is_set:
        return Plan("set", pictures=len(pictures), words="a data set with annotations")
    if not pictures:
        whole = [name for name in lower if name.endswith((*ARCHIVES, *TABLES)) or _ending(name) in VIDEOS]
        return Plan("whole", words=names(whole)) if whole else Plan("pictures", pictures=len(visible))
    sides = {"train", "valid", "val", "validation", "test"}
    if visible and all(len(row) > 2 and row[0].lower() in sides for row in pictures):  # noqa: PLR2004
        pictures = [row[1:] for row in pictures]
    if all(len(row) > 1 for row in pictures):
        labels: dict[str, int] = {}
        for row in pictures:
            labels[row[0]] = labels.get(row[0], 0) + 1
        return Plan("classes", tuple(sorted(labels.items())), len(pictures))
    return Plan("pictures", pictures=len(pictures))


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - names of another machine, not paths of this one
