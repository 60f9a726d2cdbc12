"""The file of a study: closed afterwards, and what is wrong with it said in words."""

from __future__ import annotations

import resource

import psutil
import pytest

import nbdeploy as nd
from nbdeploy.core.progress import quiet
from nbdeploy.errors import OutputError
from nbdeploy.tuning.study import study_path


def test_optuna_says_what_it_said_before_and_the_study_is_closed(few, tiny):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    with quiet():
        tuning = nd.tune(few, **tiny, trials=1, name="pets", refit=False)
        tuning.plot()
    assert optuna.logging.DEBUG == optuna.logging.get_verbosity()
    assert not [file.path for file in psutil.Process().open_files() if file.path.startswith(str(tuning.path))]


def test_a_file_that_is_no_study_and_a_full_disk_are_said_in_words(few, tiny):
    study_path("junk").parent.mkdir(parents=True)
    study_path("junk").write_bytes(b"nonsense" * 2000)
    with quiet(), pytest.raises(OutputError, match=r"junk.sqlite cannot be used \(file is not a database") as caught:
        nd.tune(few, **tiny, trials=1, name="junk")
    assert "another name" in caught.value.hint
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))  # bytes a file may grow to: as of a full disk
    try:
        with quiet(), pytest.raises(OutputError, match=r"pets.sqlite cannot be used \(d"):
            nd.tune(few, **tiny, trials=1, name="pets")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
