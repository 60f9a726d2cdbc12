"""The telephone's page: who may come in, what may be sent, and how it looks to a real browser of that size."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from nbdeploy.data.collect import phone as module
from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.phone import CODE_LIVES_S, Door, Phone, qr_svg
from nbdeploy.errors import OutputError, UsageError
from tests.browser import LOW_CONTRAST, chromium
from tests.data.collect.conftest import encoded, scene

OURS = {"X-nbdeploy": "1"}


@pytest.fixture
def phone(collection: Collection) -> Iterator[Phone]:
    for label in ("cat", "dog"):
        collection.add_class(label)
    with Phone(collection, "127.0.0.1") as made:
        yield made


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, phone: Phone) -> None:
        self.place = phone.url.partition("#")[0]
        self.session = requests.Session()

    def enter(self, code: str) -> int:
        return self.session.post(f"{self.place}enter", data=code, timeout=10).status_code

    def send(self, data: bytes, label: str = "cat", **headers: str) -> requests.Response:
        address = f"{self.place}photo?label={label}&part=1"
        return self.session.post(address, data=data, headers={**OURS, **headers}, timeout=10)


@pytest.fixture
def inside(phone: Phone) -> Visitor:
    visitor = Visitor(phone)
    assert 200 == visitor.enter(phone.door.code)
    return visitor


def test_a_code_opens_once(phone: Phone) -> None:
    code = phone.door.code
    assert 200 == Visitor(phone).enter(code)
    assert 403 == Visitor(phone).enter(code)
    assert "#" not in phone.url
    phone.renew()
    assert 200 == Visitor(phone).enter(phone.door.code)


def test_an_empty_or_wrong_code_opens_nothing(phone: Phone) -> None:
    for code in ("", "x", "é", phone.door.code[:-1], phone.door.code + "x"):
        assert 403 == Visitor(phone).enter(code)
    Visitor(phone).enter(phone.door.code)
    assert 403 == Visitor(phone).enter("")  # what is left of a used code


def test_an_old_code_opens_nothing() -> None:
    now = [0.0]
    door = Door(lambda: now[0])
    now[0] = CODE_LIVES_S + 1
    assert "" == door.open(door.code)
    assert door.used


def test_after_many_wrong_codes_the_right_one_waits_too() -> None:
    now = [0.0]
    door = Door(lambda: now[0])
    for _ in range(10):
        door.open("wrong")
    assert "" == door.open(door.code)
    now[0] = 61
    assert door.open(door.code)


def test_nothing_is_told_to_strangers(phone: Phone) -> None:
    stranger = Visitor(phone)
    assert 403 == requests.get(f"{stranger.place}classes", headers=OURS, timeout=10).status_code
    assert 403 == stranger.send(encoded(scene(1))).status_code
    assert 404 == requests.get(f"{stranger.place}../../etc/passwd", timeout=10).status_code
    page = requests.get(stranger.place, timeout=10)
    assert "cat" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "no-store" == page.headers["Cache-Control"]


def test_the_new_telephone_puts_the_old_one_out(phone: Phone, inside: Visitor) -> None:
    phone.renew()
    assert 200 == inside.send(encoded(scene(1))).status_code
    assert 200 == Visitor(phone).enter(phone.door.code)
    assert 403 == inside.send(encoded(scene(2))).status_code


def test_another_page_cannot_send_in_the_telephones_name(inside: Visitor) -> None:
    cookie = inside.session.cookies
    answer = requests.post(f"{inside.place}photo?label=cat", data=encoded(scene(1)), cookies=cookie, timeout=10)
    assert 403 == answer.status_code


def test_a_picture_is_stored_as_a_session_of_the_phone(phone: Phone, inside: Visitor) -> None:
    for seed in range(3):
        assert {"status": "kept", "said": "", "warn": False} == inside.send(encoded(scene(seed))).json()
    items = phone.collection.items
    assert {"phone"} == {item.source.kind for item in items}
    assert 1 == len({item.group for item in items})
    assert 3 == phone.pictures


def test_what_is_no_picture_is_refused_and_listed(phone: Phone, inside: Visitor) -> None:
    answer = inside.send(b"<!DOCTYPE html>").json()
    assert ("refused", "a web page, not a picture") == (answer["status"], answer["said"])
    assert ["refused"] == [item.status for item in phone.collection.items]


def test_classes_that_are_not_there_cannot_be_made_by_a_phone(phone: Phone, inside: Visitor) -> None:
    assert 400 == inside.send(encoded(scene(1)), "mouse").status_code
    assert 400 == inside.send(encoded(scene(1)), "..%2Fup").status_code
    assert ("cat", "dog") == phone.collection.classes


def test_a_body_has_its_bound_whether_declared_or_not(inside: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbdeploy.data.collect.phone_app.MOST_BYTES", 1000)
    assert 413 == inside.send(bytes(2000)).status_code
    chunked = inside.session.post(
        f"{inside.place}photo?label=cat", data=iter([bytes(600)] * 5), headers=OURS, timeout=10
    )
    assert 413 == chunked.status_code


def test_pictures_come_no_faster_than_hands_send_them(phone: Phone, inside: Visitor, monkeypatch) -> None:
    monkeypatch.setattr(phone.door, "too_fast", lambda: True)
    assert 429 == inside.send(encoded(scene(1))).status_code
    door = Door(lambda: 0.0)
    assert [False] * 60 + [True] == [door.too_fast() for _ in range(61)]


def test_it_listens_only_where_it_was_told_to_and_stops(phone: Phone) -> None:
    assert phone.running
    phone.stop()
    assert not phone.running
    with pytest.raises(requests.ConnectionError):
        requests.get(phone.url.partition("#")[0], timeout=2)
    assert "Phone(stopped)" == repr(phone)


def test_an_address_has_to_be_given_and_be_ours(collection: Collection) -> None:
    with pytest.raises(UsageError, match="needs an address"):
        Phone(collection, "")
    with pytest.raises(OutputError, match="cannot be listened on"):
        Phone(collection, "203.0.113.7")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OutputError, match="cannot be listened on"):
            Phone(collection, "127.0.0.1", port=taken.getsockname()[1])
    with pytest.raises(UsageError, match="no certificate"):
        Phone(collection, "127.0.0.1", certfile="gone.pem")


def test_the_code_is_drawn_for_scanning() -> None:
    svg = qr_svg("http://127.0.0.1/#x")
    assert svg.startswith("<svg")
    assert module.reachable("127.0.0.1") == "127.0.0.1"
    assert module.reachable("0.0.0.0") != "0.0.0.0"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--ignore-certificate-errors")
    with chromium(*flags) as opened:
        yield opened


def visit(browser: Any, phone: Phone) -> Any:
    page = browser.new_page(viewport={"width": 390, "height": 780}, device_scale_factor=2, has_touch=True)
    page.set_default_timeout(10_000)
    page.goto(phone.url)
    page.get_by_role("button", name="cat").wait_for()
    return page


def until(page: Any, true: str) -> None:
    """Playwright's own waiting evaluates text, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    pytest.fail(true)


@pytest.mark.browser
def test_a_photo_is_taken_by_a_tap_and_sent_upright(browser: Any, phone: Phone) -> None:
    page = visit(browser, phone)
    assert "#" not in page.url  # the code does not stay in the history
    turned = Image.Exif()
    turned[0x0112] = 6
    wide = scene(3).crop((0, 0, 96, 48))
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="cat").click()
    photo = {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": encoded(wide, "JPEG", quality=95, exif=turned)}
    chosen.value.set_files(photo)
    page.get_by_text("✓ cat").wait_for()
    (item,) = phone.collection.items
    assert (48, 96) == item.size
    assert () == item.badges
    assert "1" == page.get_by_role("button", name="cat").locator("span").inner_text()
    assert [] == page.evaluate(LOW_CONTRAST, "html.nbd")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


@pytest.mark.browser
def test_a_page_opened_with_a_used_code_says_so(browser: Any, phone: Phone) -> None:
    address = phone.url
    visit(browser, phone).close()
    page = browser.new_page()
    page.goto(address)
    page.get_by_text("This code was used already").wait_for()
    page.close()


@pytest.mark.browser
def test_over_https_a_class_is_held_to_record_it(browser: Any, collection: Collection, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("there is no openssl here")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    collection.add_class("cat")
    with Phone(collection, "127.0.0.1", certfile=cert, keyfile=key) as phone:
        assert phone.url.startswith("https://")
        page = visit(browser, phone)
        page.get_by_role("button", name="Turn the live camera on").click()
        until(page, "document.getElementById('video').videoWidth > 0")
        page.get_by_role("button", name="cat").hover()
        page.mouse.down()
        until(page, "/cat: [3-9]/.test(document.getElementById('count').textContent)")
        page.mouse.up()
        until(page, "!document.querySelector('#sent').textContent.includes('sending')")
        assert 3 <= len(collection.items)
        assert page.context.cookies()[0]["secure"]
        page.close()
    with pytest.raises(UsageError, match="certificate cannot be used"):
        Phone(collection, "127.0.0.1", certfile=key, keyfile=cert)


@pytest.mark.browser
def test_plain_http_elsewhere_says_that_the_live_camera_needs_https(browser: Any, phone: Phone) -> None:
    page = browser.new_page()
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {get: () => false})")
    page.goto(phone.url)
    page.get_by_text("The live camera needs HTTPS").wait_for()
    assert not page.get_by_role("button", name="Turn the live camera on").is_visible()
    page.close()
