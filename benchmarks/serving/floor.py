"""The least that a request can cost: the bundle's own host code, without a server: floor.py BUNDLE PICTURE.

For every line "THREADS REQUESTS" on standard input it classifies the picture that often and prints JSON:
{"seconds", "cpu_s", "ms": [of each]}.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from predict import Classifier


def main(bundle: Path, picture: bytes) -> None:
    """Answer until standard input ends."""
    classifier = Classifier(bundle, threads=1)

    def once(_: int) -> float:
        start = time.perf_counter()
        classifier.predict(picture)
        return 1000 * (time.perf_counter() - start)

    once(0)
    for line in sys.stdin:
        threads, requests = map(int, line.split())
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(once, range(2 * threads)))
            start, cpu = time.perf_counter(), time.process_time()
            took = list(pool.map(once, range(requests)))
            seconds, spent = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu_s": spent, "ms": took}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())
