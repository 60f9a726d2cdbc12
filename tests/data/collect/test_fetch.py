from __future__ import annotations

import base64
import threading

import pytest

from nbdeploy.data.collect import address
from nbdeploy.data.collect.address import Forbidden, check
from nbdeploy.data.collect.fetch import Fetcher, Limits

QUICK = Limits(bytes=1_000_000, whole=0.6, silence=0.9, tries=3, pause=0.01, patience=10)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def fetch(server, slept):
    fetcher = Fetcher(QUICK, sleep=slept.append)
    return lambda path: fetcher.fetch(f"{server.url}/{path}")


@pytest.mark.parametrize("path", ["ok/1", "mistyped/1", "packed/1", "moved/1", "once-500/1", "cookie/1"])
def test_a_picture_comes_whole_however_it_is_sent(fetch, path, png):
    found = fetch(path)
    assert "" == found.why
    assert png(5 if path.startswith("moved") else 1) == found.data


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing", "answers 404 Not Found"),
        ("always-503", "answers 503 Service Unavailable, 3 times"),
        ("never", "answers 429 Too Many Requests; the server asks to wait 3,600 s"),
        ("round", "sends on and on (more than 5 times)"),
        ("to-cloud", "leads to 169.254.169.254, which is no place for pictures"),
        ("to-file", 'begins with "file:", not with http or https'),
        ("bomb", "is larger than 1 MB"),
        ("endless", "is larger than 1 MB"),
        ("drip", "took longer than 1 s, 3 times"),
        ("silent", "gave no answer in time, 3 times"),
        ("reset", "broke the connection off, 3 times"),
        ("half", "broke off half-way, 3 times"),
    ],
)
def test_what_cannot_be_had_says_why(fetch, path, says):
    found = fetch(path)
    assert b"" == found.data
    assert found.why.startswith(says)


def test_a_server_that_asks_to_wait_is_waited_for(fetch, slept):
    assert "" == fetch("once-429/2").why
    assert [7.0] == slept


def test_waits_grow_between_tries(fetch, slept):
    fetch("always-503/grow")
    assert 2 == len(slept)
    assert slept[1] > slept[0]


def test_neither_cookies_nor_passwords_are_sent(fetch, server, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.headers_seen.clear()
    fetch("cookie/1")
    fetch("cookie/2")
    sent = {name.lower() for headers in server.headers_seen for name in headers}
    assert set() == sent & {"cookie", "authorization"}


def test_one_host_gets_two_requests_at_a_time_and_each_address_once(server):
    server.asked.clear()
    server.most = server.at_once = 0  # of slow-ok alone
    urls = [f"{server.url}/slow-ok/{number}" for number in range(10)] * 2
    assert 10 == len(list(Fetcher(QUICK).fetch_all(urls)))
    assert {1} == set(server.asked.values())
    assert 2 == server.most


def test_a_stopped_fetch_leaves_no_thread_behind(server):
    found = Fetcher(QUICK).fetch_all([f"{server.url}/slow-ok/{number}" for number in range(50)])
    next(found)
    found.close()
    left = [thread for thread in threading.enumerate() if thread.name == "nbdeploy-fetch"]
    for thread in left:
        thread.join(timeout=5)
    assert not any(thread.is_alive() for thread in left)


def test_a_picture_inside_its_address_is_taken(png):
    url = "data:image/png;base64," + base64.b64encode(png(3)).decode()
    assert png(3) == Fetcher().fetch(url).data
    assert "is not valid base64" == Fetcher().fetch("data:image/png;base64,!!").why


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.png",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/a.png",
        "http://[fd00:ec2::254]/a.png",
        "http://[::ffff:169.254.169.254]/a.png",
        "http://0.0.0.0/a.png",
        "http://224.0.0.1/a.png",
        "http://user:secret@127.0.0.1/a.png",
        "http:///a.png",
        "http://no-such-host.invalid/a.png",
    ],
)
def test_addresses_that_are_never_fetched(url):
    with pytest.raises(Forbidden):
        check(url)


def test_a_public_address_does_not_lead_into_a_private_network(monkeypatch):
    assert check("http://127.0.0.1/a.png")
    with pytest.raises(Forbidden, match="sent on to 127.0.0.1"):
        check("http://127.0.0.1/a.png", came_from="http://example.org")
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 80))])
    assert not check("http://example.org/a.png")


@pytest.mark.parametrize("url", ["http://[", "nonsense", "http://127.0.0.1:99999/a.png", ""])
def test_what_is_no_address_is_named(url):
    assert Fetcher(QUICK).fetch(url).why
