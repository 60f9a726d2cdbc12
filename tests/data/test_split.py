from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from nbdeploy.data.split import held_out

labels = st.sampled_from(["a", "b", "c", "d"])
groups = st.integers(0, 25).map(str)
own_groups = st.tuples(labels, groups).map(lambda pair: (pair[0], f"{pair[0]}{pair[1]}"))
shares = st.floats(0.01, 0.99)


@settings(max_examples=200, deadline=None)
@given(st.lists(own_groups, max_size=80), shares, st.integers())
def test_every_class_with_two_groups_has_files_on_both_sides(files, valid, seed):
    held = held_out(files, valid=valid, seed=seed)
    by_label = defaultdict(set)
    for label, group in files:
        by_label[label].add(group)
    for of_label in by_label.values():
        assert (len(of_label) > 1) == bool(of_label & held)
        assert of_label - held


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(labels, groups), max_size=80), shares, st.integers())
def test_every_class_keeps_files_to_train_on_also_with_shared_groups(files, valid, seed):
    held = held_out(files, valid=valid, seed=seed)
    for wanted in {label for label, _ in files}:
        assert {group for label, group in files if label == wanted} - held


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(labels, groups), max_size=80), shares, st.integers())
def test_the_order_of_files_does_not_matter(files, valid, seed):
    shuffled = files.copy()
    random.Random(seed).shuffle(shuffled)
    assert held_out(files, valid=valid, seed=seed) == held_out(shuffled, valid=valid, seed=seed)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 300), shares, st.integers())
def test_the_share_is_kept_to_half_a_file(number, valid, seed):
    files = [("a", str(n)) for n in range(number)]
    wanted = min(max(1, valid * number), number - 1)
    assert abs(len(held_out(files, valid=valid, seed=seed)) - wanted) <= 0.5


def test_holds_out_the_smallest_set_of_copies_where_all_are_large():
    files = [("a", "x")] * 50 + [("a", "y")] * 40
    assert {"y"} == held_out(files, valid=0.1, seed=1)


def test_shared_groups_are_trained_on():
    files = [("a", "1"), ("a", "2"), ("a", "both"), ("b", "3"), ("b", "4"), ("b", "both")]
    assert all("both" not in held_out(files, valid=0.5, seed=seed) for seed in range(20))


def test_a_class_of_shared_groups_only_is_held_out_where_it_can_be():
    files = [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")]
    assert 1 == len(held_out(files, valid=0.2, seed=42))


def test_adding_a_file_moves_few_others():
    files = [("a", str(n)) for n in range(1000)]
    before = held_out(files, valid=0.2, seed=42)
    after = held_out([*files, ("a", "new")], valid=0.2, seed=42)
    assert len(before ^ after) <= 2
