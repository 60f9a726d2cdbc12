"""BentoML as its guide has it, with a worker a processor; BENCH_BUNDLE and BENCH_WORKERS are in the environment."""

import os
from pathlib import Path
from typing import Any

import bentoml
from predict import Classifier

BUNDLE, WORKERS = os.environ["BENCH_BUNDLE"], int(os.environ["BENCH_WORKERS"])


@bentoml.service(workers=WORKERS)
class Classify:
    """One picture a request."""

    def __init__(self) -> None:
        self.classifier = Classifier(BUNDLE, threads=1)

    @bentoml.api
    def predict(self, file: Path) -> dict[str, Any]:
        """BentoML keeps the upload in a file."""
        return self.classifier.predict(file)
