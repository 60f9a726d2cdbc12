"""The check ``endpoint``: the bundle's own server is started and asked about every sample, from raw bytes over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbdeploy.core import working
from nbdeploy.core.report import Check, Status

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

NAME = "endpoint"
_PATIENCE_S = 120
_OWN = {"PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # a bundle stays as it was made


def endpoint_check(bundle: Bundle, code: Mapping[str, Path]) -> Check:
    """Passed when ``app/server`` answers every sample as the bundle itself did. What lies in ``app`` has to be `code`
    (path -> nbdeploy's own copy), else it is not executed.
    """
    app = bundle.path / "app"
    strange = [name for name, own in code.items() if not _equal(app / name, own)]
    strange += [name for path in app.rglob("*.py") if (name := path.relative_to(app).as_posix()) not in code]
    if strange:
        return Check(NAME, Status.not_run, why=f"app/{strange[0]} is not this nbdeploy's own, so it was not executed")
    expected = json.loads((bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))
    try:
        with _running(app / "server") as url:
            drift = max(_drift(url, bundle.path / "samples", row) for row in expected["samples"])
    except (RuntimeError, OSError, ValueError, KeyError, http.client.HTTPException) as error:
        return Check(NAME, Status.failed, why=f"the endpoint did not answer: {error}")
    good = drift <= expected["tolerance"]
    why = f"largest drift over {len(expected['samples'])} samples, sent as raw bytes over HTTP"
    return Check(NAME, Status.passed if good else Status.failed, drift, expected["tolerance"], why)


def _equal(theirs: Path, own: Path) -> bool:
    try:
        return theirs.read_bytes() == own.read_bytes()
    except OSError:
        return False


def _drift(url: str, folder: Path, row: Mapping[str, Any]) -> float:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_PATIENCE_S)
    try:
        connection.request("POST", "/predict", (folder / Path(row["file"]).name).read_bytes())
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"{row['file']} got {response.status}, {answer['error']['message']}")
        given = answer["predictions"][0]["probabilities"]
        wanted = row["deployed"] or row["probabilities"]
        return float(max(abs(given[label] - value) for label, value in wanted.items()))
    finally:
        connection.close()


@contextmanager
def _running(server: Path) -> Iterator[str]:
    """The address of the server at `server`, started as a user of the bundle would: by this Python, without nbdeploy's
    own settings.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "NBDEPLOY_", "AIP_"))}
    command = [
        sys.executable,
        "-s",
        str(server),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--bundle",
        str(server.parents[1]),
    ]
    with subprocess.Popen(  # noqa: S603 - the server that nbdeploy itself wrote
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**kept, **_OWN}
    ) as process:
        said: queue.Queue[str] = queue.Queue()
        told: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        for lines, use in ((process.stdout, said.put), (process.stderr, told.append)):
            threading.Thread(target=_read, args=(lines, use), daemon=True).start()
        try:
            with working.child(process):
                line = said.get(timeout=_PATIENCE_S)
                if not line:
                    raise RuntimeError(" ".join("".join(told).split())[:300] or f"status {process.wait()}")
                yield str(json.loads(line)["url"])
        except queue.Empty as error:
            raise RuntimeError(f"it was not ready within {_PATIENCE_S} s") from error
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _read(lines: Any, use: Any) -> None:
    """Hand on line by line, and an empty one at the end: a pipe that nobody reads would stop the server."""
    for line in lines:
        use(line)
    use("")
