"""What a person does in the cleaner, as Edits: one act, one batch, one undo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from nbdeploy.core.finding import Edit, Finding, Operation
from nbdeploy.data.records import count, short
from nbdeploy.data.review.queues import BY_NAME
from nbdeploy.data.review.review import Review
from nbdeploy.errors import UsageError

ACTS = ("exclude", "keep", "restore", "relabel", "turn", "accept", "only", "best", "all")
Done = tuple[list[Edit], str]
_STILL = "Nothing to do: it stands so already."


def edits_for(review: Review, act: str, places: Sequence[int], *, queue: str, label: str = "") -> Done:
    """The Edits of an act on items, and what was done in words. `act` is one of `ACTS`; `label` is for ``relabel``.

    ``only``, ``best`` and ``all`` are about the groups that the items are in: keep the item, the best one, or every
    one. No Edits where nothing would change; then the words say why. Raises UsageError for another act or no label.
    """
    if act in {"only", "best", "all"}:
        return _of_groups(review, act, places, queue)
    makers: dict[str, Callable[[Review, int, str], Iterator[Edit]]] = {
        "exclude": _exclude,
        "keep": _keep,
        "restore": _restore,
        "relabel": lambda review, place, queue: _relabel(review, place, queue, label),
        "turn": _turn,
        "accept": _accept,
    }
    if act not in makers:
        raise UsageError(f'There is no act "{act}".', hint=f"Known: {', '.join(ACTS)}.")
    if act == "relabel" and not label.strip():
        raise UsageError("No label was given.", hint="Type a class, or choose one.")
    made = {place: list(makers[act](review, place, queue)) for place in places}
    done = [place for place in places if made[place]]
    if not done:
        return [], "Nothing is suggested here: decide with the other keys." if act == "accept" else _STILL
    words = {
        "exclude": "excluded",
        "keep": "kept",
        "restore": "restored as it was" if len(done) == 1 else "restored as they were",
        "relabel": f'labelled "{short(label.strip())}"',
        "turn": "turned",
        "accept": "decided as suggested",
    }
    files = sorted({same for place in done for same in review.marks.same_bytes(place)} - set(done))
    copies = f", with {count(len(files), 'file')} of the same bytes" if files else ""
    return [edit for place in done for edit in made[place]], f"{count(len(done), 'picture')} {words[act]}{copies}"


def words_of(edits: Sequence[Edit]) -> str:
    """What a batch of Edits did, for undo and redo: ``3 pictures excluded``."""
    names = {"exclude": "excluded", "relabel": "relabelled", "rotate": "turned", "merge": "merged", "restore": "kept"}
    hashes: dict[str, set[str]] = {}
    for edit in edits:
        hashes.setdefault(edit.operation, set()).add(f"{edit.sha256}{edit.path if edit.operation == 'merge' else ''}")
    # What is merged is the point, not the copy that is kept beside it.
    main = [name for name in names if name in hashes and name != "restore"] or list(hashes)
    return ", ".join(f"{count(len(hashes[name]), 'picture')} {names[name]}" for name in main)


def _edit(review: Review, place: int, operation: Operation, after: str = "", *, why: str, queue: str) -> Edit:
    item, found = review.items[place], _findings(review, place, queue)
    scores = tuple({finding.kind: round(finding.score, 4) for finding in found}.items())
    before = review.marks[place].label if operation == "relabel" else ""
    reason = f"{why}: {found[0].kind}, {found[0].evidence}" if found and found[0] in item.findings else why
    return Edit(item.path, operation, after, before=before, sha256=item.sha256, why=reason, scores=scores)


def _findings(review: Review, place: int, queue: str) -> list[Finding]:
    """What is decided on: the findings of an item of the queue's kinds, or those of its group; all without a queue."""
    kinds = BY_NAME[queue].kinds
    if not kinds:
        return []  # an Edit that names no finding answers all
    group = review.group_at(queue, place)
    places = (place, *(group.members if group else ()))
    found = [[one for one in review.items[some].findings if one.kind in kinds] for some in places]
    return next((some for some in found if some), [])


def _exclude(review: Review, place: int, queue: str) -> Iterator[Edit]:
    if not review.marks[place].status.out:
        yield _edit(review, place, "exclude", why="excluded", queue=queue)


def _keep(review: Review, place: int, queue: str) -> Iterator[Edit]:
    if review.marks[place].status.out or review.is_open(queue, place):
        yield _edit(review, place, "restore", why="kept: looked at", queue=queue)


def _restore(review: Review, place: int, queue: str) -> Iterator[Edit]:
    mark, item = review.marks[place], review.items[place]
    if not mark.status:
        return
    if mark.status.out:
        yield _edit(review, place, "restore", why="restored", queue=queue)
    if mark.label != item.label and item.label:
        yield _edit(review, place, "relabel", item.label, why="restored", queue=queue)
    if mark.turn or mark.by_exif:
        yield _edit(review, place, "rotate", "0", why="restored", queue=queue)


def _relabel(review: Review, place: int, queue: str, label: str) -> Iterator[Edit]:
    mark, label = review.marks[place], label.strip()
    if mark.status.out:
        yield _edit(review, place, "restore", why="labelled anew", queue=queue)
    if mark.label != label:
        yield _edit(review, place, "relabel", label, why="relabelled", queue=queue)
    elif review.is_open(queue, place):
        yield _edit(review, place, "restore", why="kept: the label is right", queue=queue)


def _turn(review: Review, place: int, queue: str) -> Iterator[Edit]:
    yield _edit(review, place, "rotate", "90", why="turned", queue=queue)


def _accept(review: Review, place: int, queue: str) -> Iterator[Edit]:
    kinds = BY_NAME[queue].kinds
    for finding in review.items[place].findings:
        if (not kinds or finding.kind in kinds) and (edit := finding.edit(who="person")):
            if finding.kind == "split_leak":
                # Of two that are the same byte for byte an exclusion would take both.
                edit = replace(edit, operation="merge", after=str(finding.related[0]))
            if finding.suggest.startswith("relabel:"):
                edit = replace(edit, before=review.marks[place].label)
            yield edit
            return


def _of_groups(review: Review, act: str, places: Iterable[int], queue: str) -> Done:
    groups = {group: place for place in places if (group := review.group_at(queue, place))}
    if not groups:
        return [], "This picture is in no group here."
    edits: list[Edit] = []
    merged = 0
    for group, place in groups.items():
        if act == "all":
            edits += [_edit(review, one, "restore", why="kept: no copies", queue=queue) for one in group.members]
            continue
        keep = group.members[0] if act == "best" else place
        stay, go = _sides(review, group.members, keep) if queue == "leaks" else ({keep}, {*group.members} - {keep})
        edits += [_edit(review, one, "restore", why="kept: the one of its copies", queue=queue) for one in sorted(stay)]
        after = str(review.items[keep].path)
        edits += [
            replace(_edit(review, one, "merge", after, why="merged", queue=queue), keep=review.items[keep].sha256)
            for one in sorted(go)
        ]
        merged += len(go)
    kept = f"{count(len(groups), 'group')}: all kept"
    return edits, kept if act == "all" else f"{count(merged, 'copy')} merged into {_those(len(groups))} kept"


def _those(number: int) -> str:
    return "the one that is" if number == 1 else f"the {number:,} that are"


def _sides(review: Review, members: Sequence[int], keep: int) -> tuple[set[int], set[int]]:
    """Those on the side of the split that is kept, and the others."""
    side = review.items[keep].split
    stay = {one for one in members if review.items[one].split == side}
    return stay, set(members) - stay
