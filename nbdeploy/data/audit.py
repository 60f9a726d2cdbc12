"""audit(): look at every file once and say what is suspect."""

from __future__ import annotations

import os
from typing import Any

from nbdeploy.data.findings import Findings
from nbdeploy.data.imageset import ImageSet
from nbdeploy.data.pictures import audit_pictures


def audit(
    images: ImageSet | str | os.PathLike[str], *, learn: Any = None, seed: int = 42, engine: str = "local"
) -> Findings:
    """Look for what spoils training: broken and odd files, poor pictures, copies, leaks, wrong labels, outliers.

    `images` is an ImageSet, whose split shows leaks, or a folder, which need not be fit to train on. Labels are judged
    by a model of the pictures' own thumbnails, or, with a fastai Learner `learn`, of what its body makes of them; then
    outliers, crops and watermarked copies are found too. `seed` decides the folds of that judging.

    Every file is read and decoded once. What was measured is kept by content hash, so that a second audit reads only
    what changed. A bad file is a finding and stops nothing. `engine` says where files are measured: ``local``, in
    processes on this machine, or ``ray``, on the Ray cluster that this process is connected to, else the one of
    RAY_ADDRESS, else one of this machine's cores; its machines have to see the files under the same paths.

    Raises DataError for a folder without pictures, UnknownName for an engine that does not exist, and MissingExtra
    where its package is not installed.
    """
    return audit_pictures(images, learn=learn, seed=seed, engine=engine)
