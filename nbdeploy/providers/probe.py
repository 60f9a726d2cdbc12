"""Whether an endpoint answers as its bundle: asked over HTTP, from the raw bytes of the bundle's samples."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbdeploy.core import working
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError
from nbdeploy.providers.asking import Reach, ask

READY_S = 60.0
_PAUSE_S = 0.1
_ITSELF = {"x-nbdeploy-canary": "1"}
"""Of a request that is not to be passed on: it is this endpoint that is asked, not its canary."""


def probe(
    url: str, bundle: Bundle, token: str = "", *, reach: Reach | None = None, ready_s: float = READY_S
) -> list[Check]:
    """Two checks of the endpoint at `url`: it is ready with this bundle's model, and it answers the bundle's samples as
    ``samples/expected.json`` says, within the bundle's own tolerance. Does not raise for one that does not answer.
    """
    with working.phase("probe"):
        first = _ready(url, bundle, token, reach, ready_s)
        if first.status is not Status.passed:
            why = "The endpoint was not ready."
            return [first, Check("endpoint_answers", Status.not_run, why=why)]
        return [first, _answers(url, bundle, token, reach)]


def wait_ready(url: str, token: str = "", *, reach: Reach | None = None, ready_s: float = READY_S) -> None:
    """Wait until what answers at `url` says that it is ready, whatever its model. Raises ProviderError."""
    until = time.monotonic() + ready_s
    while True:
        why = "nothing answers"
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = ask(url, "/readyz", token=token, reach=reach)
            if answer.status == http.client.OK:
                return
            why = answer.reason
        if time.monotonic() > until:
            raise ProviderError(f"{url} is not ready: {why}.", hint="nbdeploy endpoints NAME logs says more.")
        working.check()
        time.sleep(_PAUSE_S)


def identity(bundle: Bundle) -> dict[str, str]:
    """Which model it is, as a ready endpoint says it: ``name version sha256``. The hash is that of the model's file, or
    of the sorted list of their hashes where it is several.
    """
    hashes = sorted(str(file["sha256"]) for file in bundle.model_files)
    one = hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return {"name": bundle.name, "version": bundle.version, "sha256": one}


def insist(checks: Sequence[Check], what: str) -> None:
    """Raise ProviderError, which names the check, unless all passed."""
    wrong = next((check for check in checks if check.status is not Status.passed), None)
    if wrong is not None:
        raise ProviderError(f"{what} (check {wrong.name}): {wrong.why}", hint="nbdeploy endpoints NAME logs says more.")


def _ready(url: str, bundle: Bundle, token: str, reach: Reach | None, ready_s: float) -> Check:
    wanted, until, why = identity(bundle), time.monotonic() + ready_s, ""
    while True:
        try:
            answer = ask(url, "/readyz", token=token, reach=reach)
            said = answer.json()
            there = said.get("model") if isinstance(said, dict) else None
            if answer.status == http.client.OK and isinstance(there, Mapping):
                wrong = [key for key in wanted if wanted[key] and str(there.get(key)) != wanted[key]]
                why = f"It serves {there.get('name')} {there.get('version')}, not {bundle.name} {bundle.version}."
                if not wrong:
                    model = f"{bundle.name} {bundle.version}"
                    return Check("endpoint_ready", Status.passed, value=model, why="It says that it is ready.")
            else:
                why = f"/readyz: {answer.reason}."
        except (OSError, http.client.HTTPException) as error:
            why = f"Nothing answers at {url} ({str(error) or type(error).__name__})."
        if time.monotonic() > until:
            return Check("endpoint_ready", Status.failed, why=why)
        working.check()
        time.sleep(_PAUSE_S)


def _answers(url: str, bundle: Bundle, token: str, reach: Reach | None) -> Check:
    expected = json.loads((bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))
    limit, worst, name = float(expected["tolerance"]), 0.0, "endpoint_answers"
    for row in working.counted(expected["samples"], "asking", total=len(expected["samples"]), unit="sample"):
        file = Path(row["file"]).name
        try:
            body = (bundle.path / "samples" / file).read_bytes()
            answer = ask(url, "/predict", body=body, headers=_ITSELF, token=token, reach=reach)
            if answer.status != http.client.OK:
                return Check(name, Status.failed, why=f"{file}: {answer.reason}")
            said: Mapping[str, Any] = answer.json()["predictions"][0]["probabilities"]
            should: Mapping[str, float] = row["deployed"] or row["probabilities"]
            far = max(abs(float(said[label]) - value) for label, value in should.items())
        except (OSError, http.client.HTTPException) as error:
            return Check(name, Status.failed, why=f"{file}: no answer ({str(error) or type(error).__name__}).")
        except (KeyError, IndexError, TypeError, ValueError):
            return Check(name, Status.failed, why=f"{file}: the answer holds no probabilities of these labels.")
        if not far <= limit:  # not a number is no answer either
            why = (
                f"{file}: a probability is {far:.3g} away from what the bundle answers; at most {limit:g} is let pass."
            )
            return Check(name, Status.failed, value=far, limit=limit, why=why)
        worst = max(worst, far)
    why = f"Over HTTP, the bundle's answers on {len(expected['samples'])} samples."
    return Check(name, Status.passed, value=worst, limit=limit, why=why)
