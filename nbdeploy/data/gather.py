"""From a listing to an ImageSet: read every file, check what can be learned from it, split, and say what is odd."""

from __future__ import annotations

import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nbdeploy.core.progress import track
from nbdeploy.core.signature import MAX_LABEL_CHARACTERS
from nbdeploy.data.collect.record import provenance
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.listing import Listing
from nbdeploy.data.records import ImageFile, SetAside, Split, count, names, short, shown
from nbdeploy.data.scan import TINY, Reading, read_all
from nbdeploy.data.sessions import remark, sides
from nbdeploy.errors import DataError, NbdeployWarning

_STACKLEVEL = 4  # warn <- _say <- gather <- ImageSet.from_...: the line of the person's own code

_NOTES = {
    "animated": "with several frames: only the first is used",
    "cmyk": "in CMYK: converted to RGB, which may shift colours",
    "exif_rotated": "turned only by EXIF: nd.train turns them so, fastai by itself does not",
    "float_pixels": "with float pixels: nd.train scales them to 0..255, fastai by itself clips them",
    "sixteen_bit": "with 16 bits: nd.train scales them to 0..255, fastai by itself clips them, so most may turn white",
    "tiny": f"with a side below {TINY} pixels",
}
"""What a warning says about files with a note."""


def gather(listing: Listing, *, valid: float, seed: int) -> ImageSet:
    """Read, check and split the candidates of `listing`. Raises DataError; gives one NbdeployWarning a kind."""
    if not 0 < valid < 1:
        raise DataError(f"valid is {valid}.", hint="It is the share of files held out: above 0 and below 1, as 0.2.")
    if not listing.candidates:
        raise _no_pictures(listing)
    _check_labels({candidate.label for candidate in listing.candidates}, listing)
    files = _read(listing)
    set_aside = tuple(sorted(listing.set_aside, key=lambda one: str(one.path)))
    if not files:
        raise DataError(
            f"None of {count(len(set_aside), 'picture')} in {shown(listing.source)} can be read.",
            hint=f"For example {_named(set_aside[:1])}.",
        )
    _check_labels({file.label for file, _ in files}, listing)
    pictures, given = _split(files, listing, valid=valid, seed=seed)
    skipped = tuple(sorted(listing.skipped.items()))
    by = {} if given else {"seed": seed, "share": valid}
    images = ImageSet(pictures, set_aside, skipped, listing.source, **by)  # type: ignore[arg-type] # an int, a float
    _check_sides(images)
    _say([*listing.remarks, *_remarks(images, listing)])
    return images


def _read(listing: Listing) -> list[tuple[ImageFile, Split | None]]:
    """The readable files, and the side that their folder or row gives them. The others go to `set_aside`."""
    files: list[tuple[ImageFile, Split | None]] = []
    known = provenance(listing.root)
    readings = track(
        read_all(candidate.path for candidate in listing.candidates), "reading pictures", total=len(listing.candidates)
    )
    for candidate, found in zip(listing.candidates, readings, strict=True):
        if isinstance(found, Reading):
            label, side = candidate.label, candidate.split
            group, source = known.get(found.sha256, (found.sha256, listing.source))
            file = ImageFile(
                path=candidate.path,
                label=label,
                split=side or "train",
                sha256=found.sha256,
                group=group,
                source=source,
                size=found.size,
                notes=found.notes,
                turn=candidate.turn,
                by_exif=candidate.by_exif,
                span=found.span,
            )
            files.append((file, side))
        else:
            listing.set_aside.append(SetAside(candidate.path, found))
    return files


def _split(
    files: Sequence[tuple[ImageFile, Split | None]], listing: Listing, *, valid: float, seed: int
) -> tuple[tuple[ImageFile, ...], bool]:
    """The files on their sides, and whether the sides were given by folders or a column."""
    given = [file for file, side in files if side is not None]
    if given:
        checked = {file.sha256 for file in given if file.split == "valid"}
        leaked = [file for file in given if file.split == "train" and file.sha256 in checked]
        if leaked:
            listing.remarks.append(
                f"{count(len(leaked), 'training file')} held out as well, byte for byte, so the accuracy reads too "
                f"high: {_paths(leaked)}."
            )
        return tuple(given), True
    rows = [(file.label, file.group, file.sha256) for file, _ in files]
    groups, held, broken = sides(rows, valid=valid, seed=seed)
    if broken:
        listing.remarks.append(remark(broken))
    return tuple(
        replace(file, group=group, split="valid" if group in held else "train")
        for (file, _), group in zip(files, groups, strict=True)
    ), False


def _check_labels(labels: set[str], listing: Listing) -> None:
    for label in sorted(labels):
        if len(label) > MAX_LABEL_CHARACTERS:
            raise DataError(
                f'The label "{short(label)}" has {len(label):,} characters.',
                hint=f"A label has at most {MAX_LABEL_CHARACTERS:,}.",
            )
        if label.splitlines() != [label]:
            raise DataError(f"The label {short(label)!r} holds a line break.", hint="Labels are written one a line.")
        if not label.isprintable() and any(unicodedata.category(letter) == "Cs" for letter in label):
            raise DataError(f"The label {shown(label)!r} is not valid text.", hint="Rename its folder in UTF-8.")
    if len(labels) < 2:  # noqa: PLR2004 - a choice needs two
        only = short(next(iter(labels)))
        inside = [candidate for candidate in listing.candidates if candidate.name.count("/") > 1]
        hint = "A classifier needs two classes at least: one folder of pictures for each."
        if inside and listing.root.joinpath(only).is_dir():
            hint = f'If the classes are the folders inside "{only}", give {shown(listing.root / only)}.'
        elif empty := sorted(map(short, listing.folders - labels)):
            hint = f"No readable pictures in: {names(empty)}. {hint}"
        raise DataError(f'{shown(listing.source)} has one class only: "{only}".', hint=hint)


def _check_sides(images: ImageSet) -> None:
    if not images.valid:
        raise DataError(
            f"Nothing can be held out: no class of {shown(images.source)} has two different files.",
            hint="Add pictures, so that each class has two different ones at least; 20 or more give a useful model.",
        )
    untaught = [short(label) for label, (train, _) in images.counts.items() if not train]
    if untaught:
        raise DataError(
            f"{count(len(untaught), 'class')} with held-out files and none to train on: {names(untaught)}.",
            hint="Give the training side the same classes, or leave the split to nbdeploy.",
        )


def _no_pictures(listing: Listing) -> DataError:
    loose = listing.skipped["without a class folder"]
    if loose:
        return DataError(
            f"{shown(listing.root)} has {count(loose, 'picture')} and no class folders.",
            hint="Put each class in a folder of its own, or name the labels in a table and use ImageSet.from_csv.",
        )
    seen = ", ".join(f"{number:,} {kind}" for kind, number in sorted(listing.skipped.items()))
    aside = f" {_named(listing.set_aside)}." if listing.set_aside else ""
    return DataError(
        f"No pictures in {shown(listing.source)}" + (f" (passed over: {seen})." if seen else ".") + aside,
        hint="Give a folder with one folder of pictures a class, as cats/1.jpg and dogs/1.jpg.",
    )


def _say(texts: Iterable[str]) -> None:
    for text in texts:
        warnings.warn(text, NbdeployWarning, stacklevel=_STACKLEVEL)


def _remarks(images: ImageSet, listing: Listing) -> list[str]:
    """One sentence a kind of oddity."""
    texts = []
    if images.set_aside:
        texts.append(f"{count(len(images.set_aside), 'file')} set aside: {_named(images.set_aside)}.")
    for note, what in _NOTES.items():
        if noted := [file for file in images if note in file.notes]:
            texts.append(f"{count(len(noted), 'picture')} {what}: {_paths(noted)}.")
    if empty := sorted(listing.folders - set(images.labels)):
        texts.append(f"{count(len(empty), 'class')} without a readable picture left out: {names(map(short, empty))}.")
    if alike := _alike(images.labels):
        texts.append(f"Classes that differ only in case or spaces: {names(alike)}. They are trained as different ones.")
    if alone := [short(label) for label, (_, held) in images.counts.items() if not held]:
        texts.append(f"{count(len(alone), 'class')} with nothing held out, so never checked: {names(alone)}.")
    if torn := _contradictions(images):
        texts.append(f"{count(len(torn), 'picture')} under more than one label, byte for byte: {names(torn)}.")
    return texts


def _alike(labels: Iterable[str]) -> list[str]:
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        by_key[" ".join(unicodedata.normalize("NFKC", label).casefold().split())].append(f'"{short(label)}"')
    return [" and ".join(same) for same in by_key.values() if len(same) > 1]


def _contradictions(images: ImageSet) -> list[str]:
    labels: defaultdict[str, dict[str, ImageFile]] = defaultdict(dict)
    for file in images:
        labels[file.sha256].setdefault(file.label, file)
    return [_paths(same.values()) for same in labels.values() if len(same) > 1]


def _paths(files: Iterable[ImageFile]) -> str:
    return names(shown(f"{file.path.parent.name}/{file.path.name}") for file in files)


def _named(set_aside: Iterable[SetAside]) -> str:
    return names(f"{shown(one.path)} ({one.reason})" for one in set_aside)
