"""Which files of a reference are taken when not all are wanted."""

from __future__ import annotations

import numpy as np

from nbdeploy.core.reference import DataFile, Reference, spread

FILES = tuple(DataFile(f"/{label}/{index}", f"{label}{index}", label) for label in "ab" for index in range(10))


def test_files_are_taken_in_turns_of_the_labels_and_the_same_for_the_same_seed() -> None:
    taken = spread(FILES, 6, 7)
    assert ["a", "a", "a", "b", "b", "b"] == sorted(str(FILES[index].label) for index in taken)
    assert taken == spread(FILES, 6, 7)
    assert taken != spread(FILES, 6, 8)
    assert list(range(20)) == spread(FILES, 30, 7)


def test_a_bounded_reference_keeps_each_answer_with_its_file() -> None:
    answers = np.arange(40, dtype=np.float32).reshape(20, 2)
    fewer = Reference(FILES, answers, FILES).bounded(held_out=4, calibration=None, seed=1)
    assert 20 == len(fewer.calibration)
    assert 4 == len(fewer.held_out)
    for file, row in zip(fewer.held_out, fewer.probabilities, strict=True):
        assert np.array_equal(answers[FILES.index(file)], row)
