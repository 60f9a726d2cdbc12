"""What the cleaner shows and does, without a widget."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nbdeploy as nd
from nbdeploy.core.finding import KINDS, Edit, Finding, Guess
from nbdeploy.core.progress import quiet
from nbdeploy.data.findings import Findings
from nbdeploy.data.journal import Journal
from nbdeploy.data.review.acts import edits_for, words_of
from nbdeploy.data.review.items import Item
from nbdeploy.data.review.marks import Status
from nbdeploy.data.review.queues import QUEUE_OF, QUEUES
from nbdeploy.data.review.review import Look, Review
from nbdeploy.data.review.rows import details, row
from nbdeploy.data.review.start import begin, cannot_write, source_of
from nbdeploy.data.review.static import as_html
from nbdeploy.errors import DataError, UsageError
from tests.suspects import MISLABELLED, write_suspects


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_suspects(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="module")
def audited(folder):
    with quiet():
        source = source_of(folder, seed=42)
        return source, nd.audit(source.images)


@pytest.fixture
def review(audited, tmp_path) -> Review:
    source, findings = audited
    return begin(source, findings=findings, journal=tmp_path / "decisions.jsonl")


@pytest.fixture
def at(review, folder) -> Callable[[str], int]:
    """The place of a file by its name below the folder."""
    return lambda name: review.places[str(folder / name)]


def do(review: Review, act: str, *places: int, queue: str = "all", label: str = "") -> str:
    edits, said = edits_for(review, act, places, queue=queue, label=label)
    review.journal.record(edits)
    review.refresh()
    return said


def status(review: Review, place: int) -> Status:
    return Status(review.status[place])


def test_every_kind_of_finding_about_a_file_has_a_queue():
    of_tables = {kind for kind in KINDS if kind.endswith(("_column", "_row", "_types", "_category", "_values"))}
    of_tables |= {"empty_text", "encoding_damage", "value_outlier"}
    assert {"class_imbalance"} == set(KINDS) - set(QUEUE_OF) - of_tables
    assert len(QUEUES) == len({queue.name for queue in QUEUES})


def test_every_file_is_an_item_with_its_findings_also_one_that_cannot_be_read(review, at):
    assert 99 == len(review.items)
    assert ["truncated"] == [one.kind for one in review.items[at("disc/cut.png")].findings]
    assert "disc" == review.items[at("disc/cut.png")].label
    assert 64 == len(review.items[at("frame/empty.png")].sha256)
    assert {"train", "valid"} == {item.split for item in review.items} - {""}


def test_queues_hold_what_was_planted_the_most_suspect_first(review, at):
    labels, _ = review.order(Look("labels"))
    assert {at(name) for name in MISLABELLED} <= set(labels)
    scores = [review.items[place].findings for place in labels]
    best = [max(one.score for one in some if one.kind == "label_error") for some in scores]
    assert sorted(best, reverse=True) == best
    assert {at("disc/cut.png"), at("frame/empty.png")} == set(review.order(Look("unreadable"))[0])
    assert at("disc/blank.png") == review.order(Look("quality"))[0][0]
    assert [at("bar/turned.jpg")] == review.order(Look("format"))[0]
    assert "unreadable" == review.first_queue


def test_copies_stand_side_by_side_with_the_best_first(review, at):
    places, groups = review.order(Look("duplicates"))
    pair = {at("disc/000.png"), at("disc/copy.png")}
    numbers = {groups[places.index(place)] for place in pair}
    assert 1 == len(numbers)
    assert pair == {place for place, number in zip(places, groups, strict=True) if number in numbers}
    # Under two labels the model says which is right.
    mixed = review.group_at("duplicates", at("frame/cross.png"))
    assert (at("bar/000.png"), at("frame/cross.png")) == mixed.members
    assert "its label is the likeliest" == mixed.why
    assert mixed in review.groups("duplicates")[:2]


def test_relabel_exclude_keep_and_turn_are_marks_and_nothing_is_open_twice(review, at):
    wrong = at(MISLABELLED[0])
    before = review.counts["labels"]
    assert '1 picture labelled "disc"' == do(review, "relabel", wrong, queue="labels", label="disc")
    assert (Status.RELABELLED, "disc") == (status(review, wrong), review.marks[wrong].label)
    assert (before.open - 1, 1) == (review.counts["labels"].open, review.counts["labels"].changed)
    others = [at(name) for name in MISLABELLED[1:]]
    assert "2 pictures excluded" == do(review, "exclude", *others, queue="labels")
    assert {Status.EXCLUDED} == {status(review, place) for place in others}
    assert "1 picture kept" == do(review, "keep", at("bar/005.png"))
    assert "1 picture turned" == do(review, "turn", at("bar/006.png"))
    assert (Status.KEPT, Status.TURNED) == (status(review, at("bar/005.png")), status(review, at("bar/006.png")))
    assert 5 == review.counts["decided"].every
    assert at("bar/006.png") == review.order(Look("decided"))[0][0], "the newest first"


def test_the_label_that_stands_there_is_kept_and_labelling_what_was_excluded_brings_it_back(review, at):
    place = at("bar/007.png")
    do(review, "relabel", place, label="bar")
    assert Status.KEPT == status(review, place)
    do(review, "exclude", place)
    assert '1 picture labelled "disc"' == do(review, "relabel", place, label=" disc ")
    assert (Status.RELABELLED, "disc") == (status(review, place), review.marks[place].label)
    with pytest.raises(UsageError, match="No label"):
        do(review, "relabel", place, label=" ")
    with pytest.raises(UsageError, match='no act "burn"'):
        do(review, "burn", place)


def test_restore_takes_label_turn_and_exclusion_back(review, at):
    place = at("bar/turned.jpg")
    do(review, "accept", place, queue="format")
    assert (Status.TURNED, True) == (status(review, place), review.marks[place].by_exif)
    do(review, "relabel", place, label="disc")
    do(review, "exclude", place)
    assert "1 picture restored as it was" == do(review, "restore", place)
    mark = review.marks[place]
    assert (Status.KEPT, "bar", 0, False) == (mark.status, mark.label, mark.turn, mark.by_exif)
    assert do(review, "restore", place).startswith("Nothing to do")


def test_accept_does_what_the_audit_suggests_in_this_queue(review, at):
    do(review, "accept", at(MISLABELLED[0]), queue="labels")
    assert "disc" == review.marks[at(MISLABELLED[0])].label
    do(review, "accept", at("frame/empty.png"), queue="unreadable")
    assert Status.EXCLUDED == status(review, at("frame/empty.png"))
    assert do(review, "accept", at("bar/009.png")).startswith("Nothing is suggested")
    edit = review.edits[0]
    assert ("person", "bar", "relabel") == (edit.who, edit.before, edit.operation)
    assert "label_error" in dict(edit.scores)


def test_one_act_on_many_is_one_undo(review, at):
    places = [at(f"disc/{number:03d}.png") for number in range(2, 8)]
    do(review, "exclude", *places)
    assert {Status.EXCLUDED} == {status(review, place) for place in places}
    batch = review.journal.undo()
    undone = [one.edit for one in review.journal.decisions() if one.batch == batch and one.edit]
    assert "6 pictures excluded" == words_of(undone)
    assert set(places) <= review.refresh()
    assert {Status.OPEN} == {status(review, place) for place in places}
    review.journal.redo()
    review.refresh()
    assert {Status.EXCLUDED} == {status(review, place) for place in places}


def test_keep_best_merges_the_others_into_it(review, at, audited):
    before = review.counts["duplicates"]
    keep, copy = review.group_at("duplicates", at("disc/copy.png")).members
    assert "1 copy merged into the one that is kept" == do(review, "best", copy, queue="duplicates")
    assert (Status.KEPT, Status.MERGED) == (status(review, keep), status(review, copy))
    assert before.open - 1 == review.counts["duplicates"].open
    left = {file.path for file in audited[0].decided(review.journal)}
    assert review.items[keep].path in left
    assert review.items[copy].path not in left


def test_keeping_one_under_two_labels_leaves_the_chosen_label(review, at, audited):
    chosen, other = at("frame/cross.png"), at("bar/000.png")
    do(review, "only", chosen, queue="duplicates")
    assert (Status.KEPT, Status.MERGED) == (status(review, chosen), status(review, other))
    labels = {file.path.name: file.label for file in audited[0].decided(review.journal) if file.label == "frame"}
    assert "frame" == labels["cross.png"]


def test_no_copies_keeps_them_all(review, at):
    place = at("disc/copy.png")
    assert "1 group: all kept" == do(review, "all", place, queue="duplicates")
    members = review.group_at("duplicates", place).members
    assert {Status.KEPT} == {status(review, one) for one in members}
    assert do(review, "best", at("disc/020.png"), queue="quality").startswith("This picture is in no group")


def leaking(tmp_path: Path) -> Review:
    """Two files of the same bytes, one trained on and one held out."""
    paths = []
    for side in ("train", "valid"):
        path = tmp_path / side / "a" / "1.png"
        path.parent.mkdir(parents=True)
        write_suspects_one(path)
        paths.append(path)
    sha256 = Journal(tmp_path).record([]) and nd.audit(tmp_path).rows[0].sha256
    found = Finding(paths[1], "split_leak", 1.0, "held out", (paths[0],), "exclude", sha256)
    items = [
        Item(path, "a", side, sha256, (48, 48), (found,) if side == "valid" else ())
        for path, side in zip(paths, ("train", "valid"), strict=True)
    ]
    return Review(items, Findings((found,), 2), Journal(tmp_path))


def write_suspects_one(path: Path) -> None:
    from tests.suspects import shape

    shape("disc", 1).save(path)


@pytest.mark.parametrize(("act", "kept"), [("best", 0), ("accept", 0), ("only", 1)])
def test_of_a_leak_one_side_goes_also_where_the_bytes_are_the_same(tmp_path, act, kept):
    review = leaking(tmp_path)
    assert 1 == review.counts["leaks"].open
    do(review, act, 1, queue="leaks")
    assert Status.MERGED == status(review, 1 - kept)
    assert not status(review, kept).out
    assert 0 == review.counts["leaks"].open


def test_a_decision_answers_what_it_was_made_on(review, at):
    wrong, copy = at("frame/cross.png"), at("bar/000.png")
    before = review.counts
    do(review, "relabel", wrong, queue="labels", label="bar")
    assert before["labels"].open - 1 == review.counts["labels"].open
    assert before["duplicates"].open == review.counts["duplicates"].open, "it is a copy all the same"
    assert review.is_open("duplicates", wrong)
    do(review, "best", wrong, queue="duplicates")
    assert before["duplicates"].open - 1 == review.counts["duplicates"].open
    assert not review.is_open("duplicates", copy)


def test_what_was_kept_as_no_copy_may_still_bear_a_wrong_label(review, at):
    place = at("frame/cross.png")
    do(review, "all", place, queue="duplicates")
    assert not review.is_open("duplicates", place)
    assert review.is_open("labels", place)
    do(review, "keep", place, queue="labels")
    assert not review.is_open("labels", place)


def test_an_edit_that_names_no_finding_answers_all(review, at):
    place = at(MISLABELLED[0])
    review.journal.record([Edit(review.items[place].path, "restore", sha256=review.items[place].sha256)])
    review.refresh()
    assert not any(review.is_open(queue.name, place) for queue in QUEUES)


def test_filters_narrow_by_class_side_confidence_name_and_decision(review, at):
    every = set(range(len(review.items)))
    assert every == set(review.order(Look("all"))[0])
    bars = set(review.order(Look("all", label="bar"))[0])
    assert at("bar/003.png") in bars
    assert at(MISLABELLED[1]) in bars, "predicted, though labelled otherwise"
    valid = set(review.order(Look("all", split="valid"))[0])
    assert {"valid"} == {review.items[place].split for place in valid}
    sure = set(review.order(Look("all", low=0.9))[0])
    assert sure
    assert all(review.items[place].guess.confidence >= 0.9 for place in sure)
    unsure = set(review.order(Look("all", high=0.89))[0])
    assert not sure & unsure
    assert at("frame/empty.png") not in sure | unsure, "nothing was predicted of it"
    assert [at("frame/cross.png")] == review.order(Look("all", text="CROSS"))[0]
    do(review, "exclude", at("bar/003.png"))
    assert [at("bar/003.png")] == review.order(Look("all", show="changed"))[0]
    assert at("bar/003.png") not in review.order(Look("all", show="open"))[0]
    groups = review.order(Look("duplicates", text="copy"))[0]
    assert {at("disc/000.png"), at("disc/copy.png")} == set(groups), "the whole group"


def test_orders_are_by_suspicion_by_name_and_by_the_likelihood_of_the_label(review):
    by_name = review.order(Look("all", sort="name"))[0]
    assert sorted(by_name) == by_name
    likely = [review.items[place].guess.given for place in review.order(Look("labels", sort="confidence"))[0]]
    assert sorted(likely) == likely


def test_digits_give_classes_by_their_names_where_these_are_digits(review):
    assert {"1": "bar", "2": "disc", "3": "frame"} == review.keys
    review.labels = ("0", "3", "7")
    assert {"0": "0", "3": "3", "7": "7"} == review.keys
    review.labels = tuple(f"class {number:02d}" for number in range(12))
    assert ("class 00", "class 09") == (review.keys["1"], review.keys["0"])
    assert 10 == len(review.keys)


def test_a_new_class_is_one_from_then_on(review, at):
    do(review, "relabel", at("bar/010.png"), label="ring")
    assert ("bar", "disc", "frame", "ring") == review.labels


def test_the_budget_is_the_audits(review):
    look, remark = review.budget
    assert look > 0
    assert f"look at {look}" in remark


def test_another_notebooks_decisions_are_seen_at_the_next_refresh(review, at, tmp_path):
    other = Journal(tmp_path / "decisions.jsonl")
    other.record([Edit(review.items[at("bar/011.png")].path, "exclude")])
    assert {at("bar/011.png")} == review.refresh()
    assert Status.EXCLUDED == status(review, at("bar/011.png"))
    assert set() == review.refresh()


def test_files_of_the_same_bytes_are_decided_together_and_it_is_said(review, at):
    said = do(review, "exclude", at("disc/000.png"))
    assert "1 picture excluded, with 1 file of the same bytes" == said
    assert Status.EXCLUDED == status(review, at("disc/copy.png"))


def test_a_row_and_its_details_are_plain_data(review, at):
    do(review, "relabel", at(MISLABELLED[0]), queue="labels", label="disc")
    shown = json.loads(json.dumps(row(review, at(MISLABELLED[0]), "labels")))
    assert ("wrong0.png", "bar", "bar", "disc") == tuple(shown[key] for key in ("name", "folder", "given", "label"))
    assert "disc" == shown["guess"][0]
    assert "label_error" == shown["why"][0][0]
    more = json.loads(json.dumps(details(review, at(MISLABELLED[0]))))
    assert '"bar" → "disc"' == more["history"][0][1]
    review.journal.undo()
    assert '"bar" → "disc" (taken back)' == details(review, at(MISLABELLED[0]))["history"][0][1]


def test_a_folder_that_is_no_set_yet_is_looked_through_all_the_same(tmp_path):
    one = tmp_path / "only"
    one.mkdir()
    write_suspects_one(one / "a.png")
    (one / "b.png").write_bytes(b"")
    source = source_of(tmp_path, seed=42)
    assert source.images is None
    assert "one class only" in str(source.problem) or "nothing can be held out" in str(source.problem).lower()
    review = begin(source)
    assert 2 == len(review.items)
    assert 1 == review.counts["unreadable"].open
    do(review, "exclude", review.places[str(one / "b.png")], queue="unreadable")
    with pytest.raises(DataError):
        source.decided(review.journal)
    with pytest.raises(DataError, match="There is no folder"):
        source_of(tmp_path / "nowhere", seed=42)


def test_decisions_of_before_are_not_made_twice_on_a_set_that_has_them(review, at, audited):
    place = at("bar/012.png")
    do(review, "turn", place)
    again = source_of(audited[0].decided(review.journal), seed=42).decided(review.journal)
    assert 90 == next(file.turn for file in again if file.path == review.items[place].path)


def test_where_decisions_cannot_be_kept_is_said_with_what_to_type(tmp_path):
    said = cannot_write(Journal(tmp_path / "nowhere" / "decisions.jsonl"))
    assert 'journal="decisions.jsonl"' in said
    assert "" == cannot_write(Journal(tmp_path))


def test_the_page_without_a_kernel_says_how_far_one_is_and_stays_small(review, at):
    do(review, "exclude", at("disc/blank.png"), queue="quality")
    page = as_html(review, name="<shapes>", place="nbd-cleaner-1")
    assert "&lt;shapes&gt;: 99 pictures" in page
    assert "Decided: 1 excluded." in page
    assert "nbd-cleaner-page nbd-cleaner-1" in page
    assert "Run the cell again" in page
    assert "data:image/webp;base64" in page
    assert 500_000 > len(page)


def test_a_hundred_thousand_pictures_are_ordered_and_counted(tmp_path):
    number = 100_000
    guess = [Guess("b", 0.9, share) for share in np.random.default_rng(0).random(1000)]
    found = [Finding(tmp_path / f"{n:06d}.png", "label_error", 1 - n / number, "?", sha256=f"{n}") for n in range(500)]
    items = [
        Item(tmp_path / f"{n:06d}.png", "a", "train", f"{n}", (9, 9), (found[n],) if n < 500 else (), guess[n % 1000])
        for n in range(number)
    ]
    review = Review(items, Findings(tuple(found), number), Journal(tmp_path / "d.jsonl"))
    assert number == len(review.order(Look("all", label="b", low=0.5))[0])
    do(review, "exclude", *range(200), queue="labels")
    assert (300, 200) == (review.counts["labels"].open, review.counts["labels"].changed)
    assert 1 == len(review.order(Look("all", text="099999"))[0])


def test_files_that_go_missing_are_still_items(tmp_path, audited):
    copy = tmp_path / "copy"
    shutil.copytree(audited[0].folder, copy)
    source = source_of(copy, seed=42)
    findings = nd.audit(source.images)
    (copy / "disc" / "000.png").unlink()
    review = begin(source, findings=findings)
    assert str(copy / "disc" / "000.png") in review.places
    assert "" == details(review, review.places[str(copy / "disc" / "000.png")])["bytes"]
