"""Collection: a folder of class folders that pictures are collected into."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.files import sha256_of
from nbdeploy.core.progress import track
from nbdeploy.data.collect.contents import Contents, Count
from nbdeploy.data.collect.items import Badge, Item, Source
from nbdeploy.data.collect.judging import judged
from nbdeploy.data.collect.place import (
    ENDINGS,
    REMOVED,
    as_output_error,
    check_label,
    clear_staging,
    move_whole,
    put,
    safe_name,
    staged,
)
from nbdeploy.data.collect.record import Record
from nbdeploy.data.facts import Facts, facts_of
from nbdeploy.data.records import SPLIT_NAMES, count, short, shown
from nbdeploy.errors import DataError

if TYPE_CHECKING:
    from nbdeploy.data.imageset import ImageSet


class Collection:
    """Pictures that are screened as they come and stored as ``folder/LABEL/NAME``.

    Nothing that is there is changed, and nothing is written over. Where each picture came from is noted in
    ``folder/collected.jsonl``, also of what was not stored, with the reason. `valid` and `seed` are those of the split
    that `counts` shows. Raises DataError or OutputError for a folder that cannot be collected into.
    """

    def __init__(self, folder: str | os.PathLike[str], *, valid: float = 0.2, seed: int = 42) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.valid, self.seed = valid, seed
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"{shown(self.folder)} is a file, not a folder.", hint="Name a folder to collect into.")
        with as_output_error(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        clear_staging(self.folder)
        self._lock = threading.RLock()
        self._record = Record(self.folder)
        self._contents = Contents(self.folder)
        self._looked = False
        self.refresh()

    def refresh(self) -> None:
        """Look again at which files are there, for those that came or went by other hands."""
        with self._lock:
            self._contents.read(self._record.load().kept())

    def look(self) -> None:
        """Measure the pictures that are there already, so that near copies of them are noticed. Bad ones do no harm."""
        if self._looked:
            return
        from nbdeploy.data.pool import measure  # noqa: PLC0415 - it starts processes
        from nbdeploy.data.remembered import facts_of_all  # noqa: PLC0415

        self._looked = True
        names = list(self._contents.files)
        found = facts_of_all([self.folder / name for name in names], measure)
        for name, facts in zip(names, track(found, "looking at what is there", total=len(names)), strict=True):
            with self._lock:
                self._contents.learn(name, facts)

    def take(
        self,
        content: bytes | Path,
        label: str,
        *,
        source: Source,
        session: str = "",
        batch: str = "",
        name: str = "",
        group: str = "",
    ) -> Item:
        """Screen one picture and store it, where it is one. `content` is its bytes, or a file that is copied.

        `session` joins what was captured together, `batch` what one undo takes back; `name` is the file's name, else
        that of its source; pictures of one `group` stay on one side of the split. What cannot be stored comes back as
        an Item too, with the reason in its badges. Raises DataError for the label, OutputError for the folder.
        """
        item = replace(Item.new(check_label(label), source, session, batch), group=group)
        work = staged(self.folder)
        try:
            with as_output_error(self.folder):
                try:
                    work.write_bytes(content) if isinstance(content, bytes) else shutil.copyfile(content, work)
                except (FileNotFoundError, IsADirectoryError, PermissionError):
                    if isinstance(content, bytes):
                        raise
                    why = "no such file" if not content.exists() else "no permission to read it, or not a file"
                    return self._keep(replace(item, badges=(Badge("unreadable", why, "bad"),)))
            facts = facts_of(work)
            with self._lock:
                return self._store(item, work, facts, name or source.name)
        finally:
            work.unlink(missing_ok=True)

    def refuse(self, label: str, badge: Badge, *, source: Source, session: str = "", batch: str = "") -> Item:
        """Note something that could not be had, so that it is listed with the reason. Raises DataError, OutputError."""
        return self._keep(replace(Item.new(check_label(label), source, session, batch), badges=(badge,)))

    def _store(self, item: Item, work: Path, facts: Facts, name: str) -> Item:
        size = work.stat().st_size
        item = judged(item, name, facts, size, self._contents)
        if item.status != "kept":
            return self._keep(item)
        name = safe_name(name, f"{item.source.kind}-{facts.sha256[:12]}", ENDINGS[facts.format])
        path = put(work, self.folder, item.label, name)
        item = self._keep(replace(item, file=path.relative_to(self.folder).as_posix()))
        self._contents.take_in(item, size, facts)
        return item

    def _keep(self, item: Item) -> Item:
        with self._lock:
            self._record.add([item])
        return item

    def add(
        self,
        what: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        label: str = "",
        *,
        every: float = 0.5,
        crop: bool = False,
        seen: Callable[[Item], None] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> tuple[Item, ...]:
        """Add a picture, a folder, an archive, a table of paths or links, a video, an address, or several of them.

        Class folders give the labels; `label` is the class of everything else. `every` is the seconds between the
        frames of a video. Data sets in the form of COCO, Pascal VOC and YOLO are recognised: each picture has the class
        that most of its boxes have, or with `crop` each box is cut out as a picture. `seen` is called with each Item as
        it comes, and `tell` with what was left out, else there is a warning. One call is one batch for `undo`.
        Raises DataError, MissingExtra or OutputError.
        """
        from nbdeploy.data.collect.intake import add  # noqa: PLC0415 - it knows Collections itself

        self.look()
        return tuple(add(self, what, label, every=every, crop=crop, seen=seen, tell=tell))

    def add_urls(
        self, urls: Iterable[str], labels: str | Sequence[str], *, seen: Callable[[Item], None] | None = None
    ) -> tuple[Item, ...]:
        """Fetch `urls`, several at once; `labels` is one for all, or one each. Those collected before are not fetched
        again. What cannot be fetched comes back as a refused Item with the reason. Raises DataError or OutputError.
        """
        from nbdeploy.data.collect.links import add_links, paired  # noqa: PLC0415 - loads requests

        self.look()
        return tuple(add_links(self, paired(urls, labels), seen=seen))

    def undo(self) -> tuple[Item, ...]:
        """Take back what was added last; gives it, empty where nothing is left. Its files go to .nbdeploy-removed."""
        with self._lock:
            kept = self._record.state.kept()
            if not kept:
                return ()
            return self.take_back(item.id for item in kept if item.batch == kept[-1].batch)

    def take_back(self, ids: Iterable[str]) -> tuple[Item, ...]:
        """Take back pictures by their ids; gives those that were. A file that was changed since stays where it is."""
        wanted = set(ids)
        with self._lock:
            some = [item for item in self._record.state.kept() if item.id in wanted]
            done = [item for item in some if self._unchanged(item)]
            for item in done:
                move_whole(self.folder / item.file, self._removed(item))
            self._contents.forget(item.file for item in done)
            if some:
                self._record.take_back(item.id for item in some)
            return tuple(done)

    def redo(self) -> tuple[Item, ...]:
        """Put back what was taken back last; gives it, empty where nothing is left."""
        with self._lock:
            state = self._record.state
            ids = state.taken[-1] if state.taken else ()
            items = [state.items[one] for one in ids if one in state.items]
            some = [item for item in items if self._removed(item).is_file()]
            for item in some:
                path = self._removed(item)
                size, facts = path.stat().st_size, facts_of(path)
                move_whole(path, self.folder / item.file)
                self._contents.take_in(item, size, facts)
            if ids:
                self._record.put_back(ids)
            return tuple(some)

    def _unchanged(self, item: Item) -> bool:
        try:
            return sha256_of(self.folder / item.file) == item.sha256
        except OSError:
            return False

    def _removed(self, item: Item) -> Path:
        return self.folder / REMOVED / f"{item.id}{Path(item.file).suffix}"

    def add_class(self, label: str) -> str:
        """Make the folder of a class; gives its name. Raises DataError."""
        label = check_label(label)
        if label.lower() in SPLIT_NAMES:
            raise DataError(f'"{label}" is what a side of the split is called.', hint="Choose another name.")
        with self._lock, as_output_error(self.folder):
            (self.folder / label).mkdir(exist_ok=True)
            self._contents.folders.add(label)
        return label

    def rename_class(self, before: str, after: str) -> str:
        """Rename a class that holds nothing but what was collected; gives its name. Raises DataError."""
        after = check_label(after)
        with self._lock:
            if before not in self.classes:
                raise DataError(f'There is no class "{short(before)}".', hint=f"There are: {', '.join(self.classes)}.")
            if (self.folder / after).exists():
                raise DataError(f'"{short(after)}" exists already.', hint="Choose another name.")
            own = {item.file for item in self._record.state.kept()}
            others = [name for name, file in self._contents.files.items() if file.label == before and name not in own]
            if others:
                raise DataError(
                    f'"{short(before)}" holds {count(len(others), "picture")} that were there before.',
                    hint="Files of yours are not moved: rename its folder yourself, and open the collector again.",
                )
            with as_output_error(self.folder):
                (self.folder / before).rename(self.folder / after)
            self._record.rename(before, after)
            self._contents = Contents(self.folder)
            self._looked = False
            self.refresh()
        return after

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, sorted, also those without a picture yet."""
        with self._lock:
            return self._contents.classes

    @property
    def counts(self) -> dict[str, Count]:
        """Class -> its pictures, as they would be split now."""
        with self._lock:
            return self._contents.counts(valid=self.valid, seed=self.seed)

    @property
    def items(self) -> tuple[Item, ...]:
        """What was given, in order, without what was taken back: stored, copies and refused."""
        with self._lock:
            state = self._record.state
            return tuple(item for item in state.items.values() if item.id not in state.gone)

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has something to take back."""
        return bool(self._record.state.kept())

    @property
    def can_redo(self) -> bool:
        """Whether `redo` has something to put back."""
        return bool(self._record.state.taken)

    @property
    def images(self) -> ImageSet:
        """The folder as an ImageSet, with the split that `counts` shows. Raises DataError where it cannot teach yet."""
        from nbdeploy.data.imageset import ImageSet  # noqa: PLC0415 - loads Pillow

        return ImageSet.from_folder(self.folder, valid=self.valid, seed=self.seed)

    def __len__(self) -> int:
        return len(self._contents.files)

    def __repr__(self) -> str:
        return f"Collection({count(len(self), 'picture')}, {count(len(self.classes), 'class')}; {shown(self.folder)})"
