"""What libraries say to one another stays away from the reader."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import pytest

from nbdeploy.core.hush import native_hushed


def test_native_code_python_and_logs_are_silent_inside_and_heard_afterwards(capfd: Any) -> None:
    handler = logging.StreamHandler(sys.stderr)  # made before, as torch makes its own when it is imported
    log = logging.getLogger("a.library")
    log.addHandler(handler)

    def speak(when: str) -> None:
        os.write(2, f"native {when}\n".encode())
        sys.stderr.write(f"python {when}\n")
        log.warning("log %s", when)

    try:
        with native_hushed():
            speak("inside")
        speak("after")
    finally:
        log.removeHandler(handler)
    said = capfd.readouterr().err
    assert "inside" not in said
    assert {"native after", "python after", "log after"} <= set(said.splitlines())


def test_an_error_inside_gets_out_and_ends_the_silence() -> None:
    before = logging.root.manager.disable, sys.stderr
    with pytest.raises(RuntimeError, match="wrong"), native_hushed():
        raise RuntimeError("wrong")
    assert before == (logging.root.manager.disable, sys.stderr)
