"""A real kernel, as a notebook's front end sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute_interactive("%load_ext nbdeploy\nimport nbdeploy as nd", timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_an_error_of_nbdeploy_is_two_lines_and_no_traceback(kernel: BlockingKernelClient) -> None:
    reply = kernel.execute_interactive(
        "raise nd.errors.OutputError('build/x exists.', hint='Pass --overwrite.')", timeout=60
    )
    assert reply["content"]["status"] == "error"
    assert reply["content"]["traceback"] == ["OutputError: build/x exists.\nPass --overwrite."]


def test_show_tracebacks_shows_them(kernel: BlockingKernelClient) -> None:
    code = """nd.errors.show_tracebacks()
try:
    1 / 0
except ZeroDivisionError as error:
    raise nd.errors.DataError("no") from error"""
    reply = kernel.execute_interactive(code, timeout=60)
    kernel.execute_interactive("nd.errors.show_tracebacks(False)", timeout=60)
    assert "ZeroDivisionError" in "\n".join(reply["content"]["traceback"])


def test_wrong_use_of_a_magic_stops_the_notebook(kernel: BlockingKernelClient) -> None:
    shown: list[str] = []
    reply = kernel.execute_interactive(
        "%deploy --target tflit",
        timeout=60,
        output_hook=lambda message: shown.append(message["content"].get("text", "")),
    )
    assert reply["content"]["status"] == "error"
    assert 'UsageError: There is no target "tflit". Did you mean "tflite"? Known: ' in "".join(shown)


def test_help_is_not_an_error(kernel: BlockingKernelClient) -> None:
    assert (
        kernel.execute_interactive("%train --help", timeout=60, output_hook=lambda _: None)["content"]["status"] == "ok"
    )


def test_the_front_end_gets_the_completions(kernel: BlockingKernelClient) -> None:
    line = "x = 1\nbundle = %deploy --recipe sta"
    reply = kernel.complete(line, len(line), reply=True, timeout=60)["content"]
    assert reply["matches"] == ["static_int8"]
    assert line[reply["cursor_start"] : reply["cursor_end"]] == "sta"
