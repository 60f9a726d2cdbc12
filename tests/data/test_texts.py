"""Faults planted in texts: copies and near copies, empty and garbled ones, wrong labels, leaks."""

from __future__ import annotations

import random
from itertools import combinations

import pandas as pd
import pytest

import nbdeploy as nd
from nbdeploy.data.alike import nearly_same, plain
from nbdeploy.data.damage import damage_of

WHO = "the old captain|a young teacher|my neighbour|our small company|the mayor of the town".split("|")
DID = "bought|repaired|lost|painted|admired|returned".split("|")
WHAT = "a wooden boat|the blue bicycle|an expensive camera|seven copper kettles|the garden fence".split("|")
WHEN = "before the storm arrived|on a rainy Tuesday|without telling anybody else|after long negotiations".split("|")


def sentences(number: int, seed: int = 0) -> list[str]:
    pick = random.Random(seed)
    every = [f"{who} {did} {what} {when}" for who in WHO for did in DID for what in WHAT for when in WHEN]
    # No two share more than two of their four parts.
    chosen: list[str] = []
    parts: list[tuple[str, ...]] = []
    for text in pick.sample(every, len(every)):
        own = tuple(next(part for part in some if part in text) for some in (WHO, DID, WHAT, WHEN))
        if all(sum(a == b for a, b in zip(own, other, strict=True)) < 2 for other in parts):
            chosen.append(text)
            parts.append(own)
    return chosen[:number]


def rows(found, kind):
    return {row.place.row for row in found.of(kind)}


@pytest.fixture(scope="module")
def banking(root):
    folder = root.parent / "shared" / "data" / "banking77"
    if not (folder / "train.csv").is_file():
        pytest.skip(f"banking77 is not at {folder}")
    parts = [
        pd.read_csv(folder / f"{name}.csv").assign(split=side) for name, side in (("train", "train"), ("test", "test"))
    ]
    return pd.concat(parts, ignore_index=True)


def test_clean_texts_are_not_suspected():
    texts = sentences(16)
    assert {} == nd.audit(texts).counts
    assert "0 findings in 16 texts" == nd.audit(texts).headline


def test_empty_and_garbled_texts_are_found_and_what_they_may_have_been_is_said():
    texts = [
        *sentences(12),
        "",
        "   ",
        None,
        "...",
        "N/A",
        "👍",
        "naïve café “quoted” – 5 €",
        "cafÃ© au lait",
        "lost \ufffd",
    ]
    texts += ["Fish &amp; chips", "bell\x07 rings", "AT&T & R&D", "zero\u200bwidth"]
    found = nd.audit(texts)
    assert {12, 13, 14, 15, 16} == rows(found, "empty_text")
    assert {19, 20, 21, 22, 24} == rows(found, "encoding_damage")
    said = {row.place.row: row for row in found.of("encoding_damage")}
    assert "replace:café au lait" == said[19].suggest
    assert '"cafÃ© au lait" → "café au lait"' in said[19].evidence
    assert "look" == said[20].suggest
    assert "\x07" not in said[22].evidence


@pytest.mark.parametrize(
    ("text", "mended"),
    [("cafÃ©", "café"), ("itâ€™s", "it’s"), ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"), ("a &lt;b&gt;", "a <b>"), ("a\x00b", "ab")],
)
def test_damage_is_mended(text, mended):
    assert mended == damage_of(text).mended


@pytest.mark.parametrize(
    "text", ["plain", "AT&T; yes", "привет", "日本語", "naïve – “so”…", "5 € & 3 £", "e\u0301", "co\u00adop", "😀"]
)
def test_what_is_no_damage_is_let_be(text):
    assert damage_of(text) is None


def test_copies_and_near_copies_name_their_twin_and_the_later_one_is_suspect():
    texts = sentences(15)
    copies = [texts[2], texts[4].upper() + "!!", texts[6].replace("a", "", 1), texts[8][:20] + texts[8][21:]]
    found = nd.audit([*texts, *copies])
    assert {15} == rows(found, "exact_duplicate")
    assert (2,) == found.of("exact_duplicate")[0].place.rows
    assert {16, 17, 18} == rows(found, "near_duplicate")
    assert {16: 4, 17: 6, 18: 8} == {row.place.row: row.place.rows[0] for row in found.of("near_duplicate")}
    assert "but for case and punctuation" in next(row.evidence for row in found if row.place.row == 16)


def test_other_figures_and_a_denial_make_another_text():
    pairs = [
        (
            "please send the parcel to house number 12 in the long street",
            "please send the parcel to house number 13 in the long street",
        ),
        ("the payment of last week was accepted by the bank", "the payment of last week was not accepted by the bank"),
    ]
    for pair in pairs:
        assert [] == list(nearly_same([plain(text) for text in pair]))


def test_texts_under_several_labels_and_on_both_sides_of_the_split():
    texts = sentences(16)
    texts += [texts[1], texts[3].title() + "?"]
    label = ["a", "b"] * 8 + ["a", "a"]
    split = ["train"] * 16 + ["valid", "valid"]
    found = nd.audit(texts, label=label, split=split)
    assert {1, 3, 16, 17} == rows(found, "cross_class_duplicate")
    assert {16, 17} == rows(found, "split_leak")
    assert {16: (1,), 17: (3,)} == {row.place.row: row.place.rows for row in found.of("split_leak")}
    assert {1, 3} == rows(nd.audit(texts, split=["valid"] * 16 + ["train"] * 2), "split_leak")


def test_every_pair_that_letters_say_is_alike_is_found_without_comparing_all():
    texts = sorted(
        {plain(text) for text in sentences(16)} | {plain(text.replace("e", "", 1)) for text in sentences(16)}
    )
    from difflib import SequenceMatcher

    alike = {
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if SequenceMatcher(None, texts[one], texts[other], autojunk=False).ratio() >= 0.93
    }
    assert alike == {tuple(sorted(pair[:2])) for pair in nearly_same(texts)}
    assert 15 <= len(alike)


def test_wrong_labels_of_texts_are_ranked_first():
    pick = random.Random(0)

    def some(did: str, what: list[str]) -> list[str]:
        return [f"{pick.choice(WHO)} {did} the {pick.choice(what)} {n} times {pick.choice(WHEN)}" for n in range(100)]

    texts = some("sailed", ["boat", "ship", "ferry"]) + some("baked", ["cake", "loaf", "pie"])
    wrong = {5, 42, 70, 100, 150, 180}
    label = ["sea" if (row < 100) != (row in wrong) else "bread" for row in range(200)]
    found = nd.audit(texts, label=label).of("label_error")
    assert 5 <= len({row.place.row for row in found[:12]} & wrong)
    assert {f"relabel:{'sea' if row.place.row < 100 else 'bread'}" for row in found[:4]} == {
        row.suggest for row in found[:4]
    }


def test_a_folder_of_texts_has_the_labels_of_its_folders_and_names_files(tmp_path):
    for number, text in enumerate(sentences(12)):
        place = tmp_path / "ab"[number % 2] / f"{number:02d}.txt"
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
    (tmp_path / "a" / "empty.txt").write_bytes(b"")
    (tmp_path / "b" / "copy.txt").write_bytes((tmp_path / "a" / "00.txt").read_bytes())
    (tmp_path / "b" / "old.txt").write_bytes("ein Satz über Käse und Brot".encode("cp1252"))
    found = nd.audit(tmp_path)
    assert "Read as 15 texts, each a .txt file, labelled by its folder." in found.remarks
    assert [tmp_path / "a" / "empty.txt"] == [row.path for row in found.of("empty_text")]
    (copy,) = found.of("exact_duplicate")
    assert (tmp_path / "b" / "copy.txt", (tmp_path / "a" / "00.txt",)) == (copy.path, copy.related)
    assert 2 == found.counts["cross_class_duplicate"]
    assert {} == found.of("encoding_damage").counts
    assert () == found.edits()
    assert "empty.txt" in found._repr_html_()


def test_sentences_in_a_table_are_looked_at_as_text_and_others_when_they_are_named():
    texts = sentences(16)
    table = pd.DataFrame({"said": [*texts, texts[0]], "at": range(17), "short": ["x", "y"] * 8 + ["cafÃ©"]})
    found = nd.audit(table)
    assert "row" == found.unit
    assert {(16, "said")} == {(row.place.row, row.place.column) for row in found.of("exact_duplicate")}
    assert "Looked at as text: said. Name others with text=." in found.remarks
    assert {"short"} == {row.place.column for row in nd.audit(table, text="short").of("exact_duplicate")}
    assert {} == nd.audit(table, text=[]).of("exact_duplicate").counts


def test_many_alike_texts_are_compared_in_bounded_time():
    pick = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [f"order {''.join(pick.choices(letters, k=12))} was sent to the customer on time" for _ in range(3000)]
    assert [] == list(nearly_same(texts))


@pytest.mark.slow
def test_real_questions_leak_and_their_copies_mostly_bear_one_label(banking):
    found = nd.audit(banking, split="split")
    assert 13_083 == found.files
    same = [
        banking.category[row.place.row] == banking.category[row.place.rows[0]] for row in found.of("near_duplicate")
    ]
    assert 0.9 <= sum(same) / len(same)
    assert 150 <= found.counts["split_leak"]
    assert {"split_leak", "near_duplicate"} == set(found.counts)


@pytest.mark.slow
def test_flipped_intents_of_real_questions_are_found_within_twice_their_number(banking):
    pick = random.Random(0)
    table = banking.sample(4000, random_state=0).reset_index(drop=True)
    wrong = set(pick.sample(range(4000), 200))
    kinds = sorted(set(table.category))
    given = [pick.choice(kinds) if at in wrong else kind for at, kind in enumerate(table.category)]
    wrong = {at for at in wrong if given[at] != table.category[at]}
    found = nd.audit(table.text.tolist(), label=given).of("label_error")
    assert 0.9 * len(wrong) <= len({row.place.row for row in found[: 2 * len(wrong)]} & wrong)
