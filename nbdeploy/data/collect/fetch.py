"""Fetch files from addresses of unknown good will: bounded in bytes, time and redirects, retried, several at once."""

from __future__ import annotations

import base64
import binascii
import email.utils
import queue
import random
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies

from nbdeploy.data.collect.address import Forbidden, check

_CHUNK = 1 << 16
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one fetch may cost. Times in seconds."""

    bytes: int = 50 << 20
    """Of one file, unpacked."""
    whole: float = 60.0
    """For one file, from the first byte to the last."""
    silence: float = 15.0
    """Until something is heard."""
    redirects: int = 5
    tries: int = 4
    pause: float = 0.5
    """Before the second try; doubled before each further one."""
    patience: float = 30.0
    """The longest wait that a server's Retry-After may ask for."""
    at_once: int = 8
    a_host: int = 2
    """At once from one host."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one address: its bytes, or `why` not, in words."""

    url: str
    data: bytes = b""
    why: str = ""


class _Failed(Exception):
    """It will not get better by trying again."""


class _Later(Exception):
    """Worth another try, after `wait` seconds where the server said so."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Fetcher:
    """Fetches many addresses. `stop` ends it early: what is under way is given up, what has not begun is left."""

    def __init__(self, limits: Limits | None = None, *, sleep: Callable[[float], Any] | None = None) -> None:
        self.limits = limits or Limits()
        self.stopped = threading.Event()
        self._sleep = sleep or self.stopped.wait
        self._hosts: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(self.limits.a_host)
        )
        self._guard = threading.Lock()

    def stop(self) -> None:
        """Give up."""
        self.stopped.set()

    def fetch_all(self, urls: Sequence[str]) -> Iterator[Fetched]:
        """Every address once, in the order in which they come in. Closing the iterator, as Ctrl-C does, stops it."""
        todo: queue.SimpleQueue[str] = queue.SimpleQueue()
        for url in _by_turns(list(dict.fromkeys(urls))):
            todo.put(url)
        number = todo.qsize()
        done: queue.Queue[Fetched] = queue.Queue(maxsize=self.limits.at_once)
        workers = [
            threading.Thread(target=self._work, args=(todo, done), name="nbdeploy-fetch", daemon=True)
            for _ in range(min(self.limits.at_once, number))
        ]
        for worker in workers:
            worker.start()
        try:
            for _ in range(number):
                while not self.stopped.is_set():
                    try:
                        yield done.get(timeout=0.2)
                        break
                    except queue.Empty:
                        continue
                else:
                    return
        finally:
            self.stop()

    def _work(self, todo: queue.SimpleQueue[str], done: queue.Queue[Fetched]) -> None:
        with _session() as session:
            while not self.stopped.is_set():
                try:
                    url = todo.get_nowait()
                except queue.Empty:
                    return
                found = self.fetch(url, session)
                while not self.stopped.is_set():
                    try:
                        done.put(found, timeout=0.2)
                        break
                    except queue.Full:
                        continue

    def fetch(self, url: str, session: requests.Session | None = None) -> Fetched:
        """One address. Nothing is raised: what went wrong stands in the answer."""
        if url[:5].lower() == "data:":
            return _inline(url, self.limits.bytes)
        if session is None:
            with _session() as own:
                return self.fetch(url, own)
        try:
            with self._guard:
                turn = self._hosts[urlsplit(url).netloc.lower()]
            with turn:
                return Fetched(url, self._tried(url, session))
        except (Forbidden, _Failed) as error:
            return Fetched(url, why=str(error))
        except ValueError as error:  # what is no address at all
            return Fetched(url, why=f"is not an address ({error})")

    def _tried(self, url: str, session: requests.Session) -> bytes:
        why = "gave no answer"
        for number in range(self.limits.tries):
            if self.stopped.is_set():
                raise _Failed("stopped")
            wait = None
            try:
                return self._once(url, session)
            except _Later as error:
                why, wait = str(error), error.wait
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
                raise _Failed(f"is not an address ({error})") from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                why = _plain(error)
            if wait is not None and wait > self.limits.patience:
                raise _Failed(f"{why}; the server asks to wait {wait:,.0f} s")
            if number + 1 < self.limits.tries:
                backoff = self.limits.pause * 2**number * random.uniform(1, 1.25)  # noqa: S311 - spreads tries
                self._sleep(backoff if wait is None else wait)
        raise _Failed(f"{why}, {self.limits.tries} times")

    def _once(self, url: str, session: requests.Session) -> bytes:
        deadline = time.monotonic() + self.limits.whole
        came_from = ""
        for _ in range(self.limits.redirects + 1):
            # Behind a proxy it is the proxy that finds hosts, and this machine may know none.
            if not get_environ_proxies(url) and not check(url, came_from=came_from):
                came_from = url
            with session.get(url, stream=True, allow_redirects=False, timeout=self.limits.silence) as answer:
                if answer.status_code in _MOVED and "location" in answer.headers:
                    url = urljoin(url, answer.headers["location"])
                    continue
                _check_status(answer)
                return self._body(answer, deadline)
        raise _Failed(f"sends on and on (more than {self.limits.redirects} times)")

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        most = self.limits.bytes
        declared = answer.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most:
            raise _Failed(_too_large(most))
        packed = answer.headers.get("content-encoding", "identity").strip().lower()
        if packed not in {"identity", "", "gzip", "deflate"}:
            raise _Failed(f'comes packed as "{packed[:20]}", which was not asked for')
        unpack = None if packed in {"identity", ""} else zlib.decompressobj(wbits=47 if packed == "gzip" else 15)
        data = bytearray()
        heard = 0
        while chunk := answer.raw.read1(_CHUNK, decode_content=False):
            heard += len(chunk)
            try:
                data += unpack.decompress(chunk, most + 1 - len(data)) if unpack else chunk
            except zlib.error as error:
                raise _Failed("is packed and cannot be unpacked") from error
            if len(data) > most:
                raise _Failed(_too_large(most))
            if time.monotonic() > deadline:
                raise _Later(f"took longer than {self.limits.whole:,.0f} s")
            if self.stopped.is_set():
                raise _Failed("stopped")
        if declared.isdigit() and heard < int(declared):
            raise _Later(f"broke off after {heard:,} of {int(declared):,} bytes")
        return bytes(data)


def _session() -> requests.Session:
    session = requests.Session()
    session.headers.update({"User-Agent": "nbdeploy", "Accept-Encoding": "identity"})
    session.headers["Accept"] = "image/*,*/*;q=0.5"
    session.auth = lambda request: request  # else ~/.netrc is read, and sent to whoever is on the list
    session.cookies.set_policy(_no_cookies())
    return session


def _no_cookies() -> Any:
    from http.cookiejar import DefaultCookiePolicy  # noqa: PLC0415 - only here

    return DefaultCookiePolicy(allowed_domains=[])


def _check_status(answer: requests.Response) -> None:
    code = answer.status_code
    said = f"{code} {answer.reason or ''}".strip()
    if code in _AGAIN:
        raise _Later(f"answers {said}", _retry_after(answer.headers.get("retry-after", "")))
    if code != requests.codes.ok:
        raise _Failed(f"answers {said}")


def _retry_after(text: str) -> float | None:
    """Seconds, of a number or a date."""
    text = text.strip()
    if text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, IndexError):
        return None


def _plain(error: Exception) -> str:
    """A failed connection in a few words."""
    text = str(error)
    words = {
        "timed out": "gave no answer in time",
        "SSL": "has a certificate that does not hold",
        "refused": "refused the connection",
        "reset": "broke the connection off",
        "aborted": "broke the connection off",
        "IncompleteRead": "broke off half-way",
    }
    return next((said for mark, said in words.items() if mark in text), f"cannot be reached ({type(error).__name__})")


def _too_large(most: int) -> str:
    return f"is larger than {most / 1e6:,.0f} MB"


def _inline(url: str, most: int) -> Fetched:
    """A picture that is in the address itself."""
    short = url[:40] + "…"
    head, comma, body = url.partition(",")
    if not comma or len(body) > 2 * most:
        return Fetched(url, why=f"{short} is not a data address that can be read")
    raw = unquote_to_bytes(body)
    try:
        return Fetched(url, base64.b64decode(raw, validate=True) if head.lower().endswith(";base64") else raw)
    except (binascii.Error, ValueError):
        return Fetched(url, why="is not valid base64")


def _by_turns(urls: Sequence[str]) -> list[str]:
    """One of each host in turn, so that a slow host does not hold up the others."""
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    for url in urls:
        hosts[_host(url)].append(url)
    turns: list[str] = []
    rows = list(hosts.values())
    for place in range(max(map(len, rows), default=0)):
        turns += [row[place] for row in rows if place < len(row)]
    return turns


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
