"""What the ship panel serves, in a real JupyterLab: a page to this computer and to a network, and a local endpoint."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

import nbdeploy as nd
from tests.browser import LOW_CONTRAST
from tests.jupyter.panel import PATIENCE, ShipBook, ship_book
from tests.targets.page import classified

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Nothing of a test is to be reached from elsewhere: another address of this machine's own stands for its network.
NETWORK = "127.0.0.2"
CELLS = {
    "load": """%load_ext nbdeploy
import nbdeploy as nd
import nbdeploy.shipping.served as served
from tests.models import learner, loaders
learn = learner(loaders("pictures"), epochs=6)""",
    "ship": 'nd.Ship(learn, target="web", name="colours", latency_runs=0, samples=2, verify_files=4)',
    "alone": 'served.network_address = lambda: ""\nprint("alone now")',
    "network": f'served.network_address = lambda: "{NETWORK}"\nprint("in a network now")',
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernel keeps its endpoints."""
    return tmp_path_factory.mktemp("state") / "own"


@pytest.fixture(scope="module")
def book(root: Path, pictures: Path, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShipBook]:
    own = {"NBDEPLOY_STATE": str(state)}
    with ship_book(tmp_path_factory.mktemp("lab"), root, pictures, CELLS, environment=own) as opened:
        yield opened


def address(book: ShipBook) -> str:
    return str(book.page.locator(".nbd-address a").inner_text())


def scanned(book: ShipBook) -> str:
    """What a telephone that is held to the screen reads."""
    cv2 = pytest.importorskip("cv2", reason="there is no OpenCV here to read QR codes")
    book.page.locator(".nbd-qr").scroll_into_view_if_needed()
    screen = cv2.imdecode(np.frombuffer(book.page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    return str(cv2.QRCodeDetector().detectAndDecode(screen)[0])


def got(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def closed(url: str) -> bool:
    """Whether nobody takes connections there."""
    parts = urlsplit(url)
    with socket.socket() as asked:
        return asked.connect_ex((str(parts.hostname), int(parts.port or 0))) != 0


def readable(book: ShipBook) -> bool:
    """Whether every word can be read and every code scanned, in both themes."""
    for theme in ("Dark", "Light"):
        book.theme(theme)
        assert [] == book.page.evaluate(LOW_CONTRAST, ".nbd-ship")
        assert address(book) == scanned(book)
    return True


def test_a_page_is_opened_from_the_card_by_key_and_its_code_leads_to_it(book: ShipBook) -> None:
    book.page.get_by_role("button", name="Deploy", exact=True).click()
    page = book.panel("done")
    page.get_by_role("button", name="Open the web app").focus()
    book.page.keyboard.press("Enter")
    page.locator(".nbd-qr").wait_for(timeout=PATIENCE)
    url = address(book)
    assert url == book.page.evaluate("document.activeElement.href")
    assert "127.0.0.1" == urlsplit(url).hostname
    assert url == scanned(book)
    assert f"The web app at {url} is open to this computer only." == page.get_by_role("status").inner_text()
    assert f"adb reverse tcp:{urlsplit(url).port}" in page.inner_text()
    bundle = nd.Bundle.load(book.work / "build" / "colours-web")
    assert (bundle.path / "app" / "web" / "index.html").read_bytes() == got(url)
    assert readable(book)


def test_the_page_behind_the_address_answers_a_picture_as_the_bundle_does(book: ShipBook) -> None:
    bundle = nd.Bundle.load(book.work / "build" / "colours-web")
    with book.page.expect_popup() as tab:
        book.page.locator(".nbd-address a").click()
    tab.value.wait_for_load_state()
    tab.value.evaluate("window.nbdeploy.ready")
    for name in bundle.manifest["samples"]:
        said, answer = classified(tab.value, bundle.path / name), bundle.predict(bundle.path / name)
        assert answer.label == said["label"]
        assert np.allclose(list(answer.probabilities.values()), said["values"], atol=2e-3)
    tab.value.close()


def test_without_a_network_the_page_stays_open_here(book: ShipBook) -> None:
    book.said("alone", "alone now")
    page, url = book.panel("done"), address(book)
    page.get_by_role("button", name="Let phones on my network open it").click()
    page.get_by_text("✗ This machine has no address in a network.").wait_for()
    assert url == address(book)
    assert got(url)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one loopback address")
def test_a_network_is_told_what_it_means_and_gets_an_address_and_a_code_of_its_own(book: ShipBook) -> None:
    book.said("network", "in a network now")
    page, here = book.panel("done"), address(book)
    before = page.locator(".nbd-address").inner_text()
    assert "Opens on this computer only." in before
    assert "opens a port to everyone on your network, over plain HTTP: no camera on phones" in before
    page.get_by_role("button", name="Let phones on my network open it").click()
    page.get_by_text("Anyone on your network can open it").wait_for()
    url = address(book)
    assert NETWORK == urlsplit(url).hostname
    assert url == scanned(book)
    assert got(url) == (book.work / "build" / "colours-web" / "app" / "web" / "index.html").read_bytes()
    assert closed(here)
    said = page.locator(".nbd-address").inner_text()
    assert "until it is stopped" in said
    assert f"nbdeploy serve {book.work / 'build' / 'colours-web'} --host 0.0.0.0 --certfile" in said
    assert not page.get_by_role("button", name="Let phones on my network open it").count()
    assert readable(book)


def test_stopped_it_is_served_no_longer_and_can_be_opened_again(book: ShipBook) -> None:
    page, url = book.panel("done"), address(book)
    page.get_by_role("button", name="Stop serving").click()
    page.get_by_role("button", name="Open the web app").wait_for()
    assert closed(url)
    assert "The web app is no longer served." == page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Open the web app").dblclick()
    page.locator(".nbd-qr").wait_for(timeout=PATIENCE)
    again = address(book)
    assert got(again)
    page.get_by_role("button", name="Undo").click()
    book.panel("undone")
    assert closed(again)
    page.get_by_role("button", name="Redo").click()
    book.panel("done")


def test_an_endpoint_is_deployed_from_the_panel_and_its_code_leads_to_it(book: ShipBook) -> None:
    page = book.panel("done")
    page.get_by_role("button", name="Deploy another").click()
    book.panel("choosing")
    page.get_by_text("Or as an endpoint").click()
    page.get_by_role("radio", name="local").check()
    page.get_by_role("button", name="Show the plan").wait_for()
    assert "colours" == page.get_by_role("textbox", name="Endpoint").get_attribute("placeholder")
    page.get_by_text('provider="local"').wait_for()
    page.get_by_role("button", name="Deploy", exact=True).click()
    book.panel("done")
    url = address(book)
    assert url == scanned(book)
    card = page.locator(".nbd-address").inner_text()
    assert "Endpoint colours" in card
    assert "Only programs on this computer reach it." in card
    assert b"colours" in got(url)  # the page to try it
    bundle = nd.Bundle.load(book.work / "build" / "colours-cloud")
    for name in bundle.manifest["samples"]:
        raw = (bundle.path / name).read_bytes()
        with urllib.request.urlopen(f"{url}/predict", raw, timeout=20) as answer:
            said = json.load(answer)["predictions"][0]
        expected = bundle.predict(bundle.path / name)
        assert expected.label == said["label"]
        assert np.allclose(list(expected.probabilities.values()), list(said["probabilities"].values()), atol=1e-5)
    assert readable(book)


def test_undo_of_an_endpoint_leaves_nothing_behind(book: ShipBook, state: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NBDEPLOY_STATE", str(state))
    page, url = book.panel("done"), address(book)
    assert ["colours"] == list(nd.endpoints())
    assert running(state)
    page.get_by_role("button", name="Undo").click()
    book.panel("undone")
    assert "The endpoint colours was taken away. Its bundle was removed." == page.get_by_role("status").inner_text()
    assert not page.get_by_role("button", name="Redo").count()
    assert closed(url)
    assert [] == running(state)
    assert [] == list(nd.endpoints())
    assert [] == list((state / "endpoints").iterdir())
    left = [path.name for path in (book.work / "build").iterdir()]
    assert ["colours-web"] == left


def running(state: Path) -> list[str]:
    """The command lines of processes that work for an endpoint."""
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:  # gone by now
            continue
    return [line for line in lines if str(state / "endpoints") in line]
