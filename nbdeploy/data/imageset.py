"""ImageSet: the immutable table of pictures that everything else starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.finding import Edit
from nbdeploy.data.divided import Divided
from nbdeploy.data.records import ImageFile, SetAside, count

if TYPE_CHECKING:
    import os

    import pandas as pd


@dataclass(frozen=True)
class ImageSet(Divided[ImageFile]):
    """Files with labels, a split, hashes, and where each came from. Making one changes nothing on disk.

    Files that cannot be read are in `set_aside` with the reason, and are named in one warning. Raises DataError where
    the pictures cannot teach a classifier anything: no pictures, one class, nothing to hold out.
    """

    files: tuple[ImageFile, ...]
    """Sorted by path."""
    set_aside: tuple[SetAside, ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()
    """(kind, number) of files passed over: hidden, not a picture, without a class folder, repeated row, test."""
    source: str = ""
    """The folder, table or archive that the set was made from."""
    seed: int | None = None
    """The seed of the split; None where folders or a column decided it."""
    original: ImageSet | None = field(default=None, repr=False)
    """The set that `edits` were applied to; None where none were."""
    edits: tuple[Edit, ...] = field(default=(), repr=False)
    """The decisions that made this set of the original."""
    share: float | None = None
    """The share of each class, 0..1, that `seed` was to hold out; None where that is not known."""

    @classmethod
    def from_folder(
        cls, path: str | os.PathLike[str], *, valid: float = 0.2, seed: int = 42, exts: Iterable[str] | None = None
    ) -> ImageSet:
        """Pictures below `path`; the first folder is the label, deeper folders are looked through.

        `path/train` with `path/valid` (val, validation or test, in any case) decide the split; then the label is the
        next folder. Otherwise `valid`, a share 0..1 of each class, is held out by `seed`. Hidden files and files that
        are not pictures (by extension: `exts` or the usual ones) are passed over and counted in `skipped`.
        Raises DataError.
        """
        from nbdeploy.data.gather import gather  # noqa: PLC0415 - loads Pillow
        from nbdeploy.data.listing import list_folder  # noqa: PLC0415

        return gather(list_folder(Path(path), exts=exts), valid=valid, seed=seed)

    @classmethod
    def from_csv(
        cls,
        csv: str | os.PathLike[str],
        *,
        path_column: str = "path",
        label_column: str = "label",
        split_column: str | None = None,
        root: str | os.PathLike[str] | None = None,
        valid: float = 0.2,
        seed: int = 42,
    ) -> ImageSet:
        """One row a picture. Relative paths start at `root`, else at the table's folder.

        `split_column` holds train or valid (val, validation, test), or true and false; without it `valid`, a share
        0..1 of each class, is held out by `seed`. Rows whose file is missing are set aside by name. Raises DataError.
        """
        from nbdeploy.data.gather import gather  # noqa: PLC0415 - loads Pillow
        from nbdeploy.data.table import list_table  # noqa: PLC0415

        listing = list_table(
            Path(csv),
            path_column=path_column,
            label_column=label_column,
            split_column=split_column,
            root=None if root is None else Path(root),
        )
        return gather(listing, valid=valid, seed=seed)

    @classmethod
    def from_zip(
        cls,
        archive: str | os.PathLike[str],
        dest: str | os.PathLike[str] | None = None,
        *,
        valid: float = 0.2,
        seed: int = 42,
    ) -> ImageSet:
        """Unpack a .zip, .tar or .tar.gz to `dest` (else the folder beside it named as it) and read that folder.

        A second call takes the unpacked folder as it is when it came from the same bytes. Members that would land
        outside `dest`, and archives that unpack to far more than pictures do, are refused; links and devices are left
        out. The labels are the folders, as in `from_folder`. Raises DataError, or OutputError for `dest`.
        """
        from nbdeploy.data.archive import unpack  # noqa: PLC0415
        from nbdeploy.data.gather import gather  # noqa: PLC0415 - loads Pillow
        from nbdeploy.data.listing import list_folder, only_folder  # noqa: PLC0415

        folder, remarks = unpack(Path(archive), None if dest is None else Path(dest))
        listing = list_folder(only_folder(folder), source=str(archive))
        listing.remarks.extend(remarks)
        return gather(listing, valid=valid, seed=seed)

    @classmethod
    def from_urls(
        cls,
        urls: Iterable[str] | Mapping[str, Iterable[str]] | str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        labels: str | Sequence[str] | None = None,
        valid: float = 0.2,
        seed: int = 42,
    ) -> ImageSet:
        """Fetch pictures to ``out/LABEL/`` and read that folder. A second call fetches only what is missing.

        `urls` is a list with `labels` (one for all, or one each), a mapping of label to addresses, or a .csv or .txt of
        addresses, with a label column or with `labels`. Files are known by their bytes, not by what servers say; each
        may have 50 MB and take 60 seconds; failures of the moment are tried again; copies are stored once. Where each
        came from is its `source`. What could not be had is named in one warning and listed with the reason in
        ``out/collected.jsonl``. Raises DataError or OutputError.
        """
        from nbdeploy.data.collect.links import from_urls  # noqa: PLC0415 - loads requests

        return from_urls(urls, out, labels=labels, valid=valid, seed=seed)

    def apply(self, edits: Iterable[Edit]) -> ImageSet:
        """A new ImageSet with `edits` made, a list of Edits or a Journal; nothing on disk changes.

        Edits go on top of those made before; a Journal that was applied before is read anew, with its undos. What is
        decided about a file holds for its bytes: copies are relabelled, turned and excluded together, and a merge
        leaves the file that is kept. What is left out is in `set_aside` with the reason, and may be restored by a later
        `apply`. Every file stays on its side of the split. Raises DataError.
        """
        from nbdeploy.data.edited import apply  # noqa: PLC0415 - it knows ImageSets itself

        return apply(self, edits)

    def export(self, out: str | os.PathLike[str], *, manifest: bool = False) -> Path:
        """Write a cleaned copy to the folder `out`, as ``train/LABEL/NAME`` and ``valid/LABEL/NAME``; gives its path.

        Files are copied byte for byte, with all their bits and their EXIF, but for those that a decision turns: they
        are written upright, without loss or at high quality. With `manifest` a table is written in its place, which
        ``ImageSet.from_csv(out, split_column="split")`` reads with its turns. `out` must not exist. Raises OutputError,
        or DataError for a label that cannot be a folder's name.
        """
        from nbdeploy.data.copying import copy_files, write_manifest  # noqa: PLC0415 - loads Pillow

        return (write_manifest if manifest else copy_files)(self.files, Path(out))

    def to_frame(self) -> pd.DataFrame:
        """One row a file: path, label, is_valid, sha256, group, source, width, height, notes."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        columns = ("path", "label", "is_valid", "sha256", "group", "source", "width", "height", "notes")
        rows = (
            (str(f.path), f.label, f.split == "valid", f.sha256, f.group, f.source, *f.size, " ".join(f.notes))
            for f in self.files
        )
        return pd.DataFrame(rows, columns=pd.Index(columns))

    def __repr__(self) -> str:
        aside = f", {len(self.set_aside):,} set aside" if self.set_aside else ""
        return (
            f"ImageSet({count(len(self), 'picture')}, {count(len(self.labels), 'class')}: "
            f"{len(self.train):,} train, {len(self.valid):,} held out{aside}; {self.source})"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from nbdeploy.data.look import as_html  # noqa: PLC0415 - loads Pillow

        return as_html(self)
