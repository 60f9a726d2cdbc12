"""Ask a server: client.py URL CLIENTS REQUESTS BODY CONTENT_TYPE. Needs nothing but Python; prints JSON.

{"seconds": of all, "ms": [of each answer], "failed": {status or error: how many}}. Each client keeps one connection
and asks again when it has its answer.
"""

from __future__ import annotations

import collections
import http.client
import json
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit


def main(url: str, clients: int, requests: int, body: bytes, kind: str) -> None:
    """Send `requests` in all."""
    left = collections.deque(range(requests))
    took: list[float] = []
    failed: collections.Counter[str] = collections.Counter()
    where = urlsplit(url)

    def client() -> None:
        connection = http.client.HTTPConnection(where.netloc, timeout=120)
        while left:
            try:
                left.pop()
            except IndexError:
                break
            start = time.perf_counter()
            try:
                connection.request("POST", where.path, body, {"Content-Type": kind})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                failed[type(error).__name__] += 1
                connection.close()
                continue
            if answer.status == 200:
                took.append(1000 * (time.perf_counter() - start))
            else:
                failed[str(answer.status)] += 1
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"seconds": time.perf_counter() - start, "ms": took, "failed": failed}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]).read_bytes(), sys.argv[5])
