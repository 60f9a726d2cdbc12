"""What the targets with a page promise beside the others: the page itself, in a real Chromium."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nbdeploy as nd
from nbdeploy.core.report import Status
from nbdeploy.templates.python.predict import decode, preprocess
from tests.browser import chromium
from tests.targets.contract import TargetContract
from tests.y4m import write_film

ANSWERED = "window.nbdeploy.mode === 'still' && window.nbdeploy.answer !== null"
SIDE = 240  # of the film, in pixels
PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Served:
    """A bundle that a server of its own serves."""

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End the server as a power cut would: connections that are kept alive end too."""
        self.process.kill()
        self.process.wait()


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """`nbdeploy serve` on a free port."""
    command = [sys.executable, "-m", "nbdeploy", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield Served(json.loads(process.stdout.readline())["url"], process)
        finally:
            process.kill()


def until(page: Any, condition: str, *, seconds: float = 60) -> None:
    """Wait for a condition in the page's own language; playwright's own way needs eval, which the page forbids."""
    end = time.monotonic() + seconds
    while not _holds(page, condition):
        assert time.monotonic() < end, f"never came true: {condition}\n{page.inner_text('body')}"
        time.sleep(0.05)


def _holds(page: Any, condition: str) -> bool:
    try:
        return page.evaluate(f"() => Boolean({condition})")
    except Exception as error:
        if "Execution context was destroyed" in str(error):  # asked while another page was being loaded
            return False
        raise


def until_text(page: Any, selector: str, text: str) -> None:
    """Wait until an element says `text`."""
    until(page, f"document.querySelector({json.dumps(selector)}).textContent.includes({json.dumps(text)})")


def opened(context: Any, url: str) -> Any:
    """The page, with its model loaded."""
    page = context.new_page()
    page.goto(url)
    page.evaluate("window.nbdeploy.ready")
    return page


def classified(page: Any, file: Path) -> dict[str, Any]:
    """Choose a file in the page, as a person does; gives the page's answer."""
    page.evaluate("window.before = window.nbdeploy.answer")
    page.set_input_files("#file", str(file))
    until(page, f"{ANSWERED} && window.nbdeploy.answer !== window.before")
    return page.evaluate("window.nbdeploy.answer")


class PageContract(TargetContract):
    """The page of one target, made in full precision."""

    # The model file is that of another target, whose own test holds this.
    test_a_resize_inside_the_graph_keeps_its_precision_in_int8 = None

    def test_it_can_be_moved(
        self, page_bundle: nd.Bundle, tmp_path: Path
    ) -> None:  # one recipe is enough: it takes long
        super().test_it_can_be_moved(page_bundle, tmp_path)

    @pytest.fixture(scope="class")
    def page_bundle(
        self, made: dict[str, nd.Bundle], program: nd.Program, tmp_path_factory: pytest.TempPathFactory
    ) -> nd.Bundle:
        if "fp32" not in made:
            out = tmp_path_factory.mktemp(self.target) / "fp32"
            made["fp32"] = nd.deploy(program, target=self.target, out=out, latency_runs=0)
        return made["fp32"]

    @pytest.fixture(scope="class")
    def samples(self, page_bundle: nd.Bundle) -> list[dict[str, Any]]:
        """Rows of samples/expected.json: the files with the Learner's own answers."""
        return json.loads((page_bundle.path / "samples" / "expected.json").read_text(encoding="utf-8"))["samples"]

    @pytest.fixture(scope="class")
    def server(self, page_bundle: nd.Bundle) -> Iterator[Served]:
        with served(page_bundle.path) as running:
            yield running

    @pytest.fixture(scope="class")
    def film(
        self, page_bundle: nd.Bundle, samples: Sequence[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
    ) -> list[Image.Image]:
        """The pictures of the film that the camera shows, one a sample: what the model sees of it, made larger."""
        host = page_bundle.manifest["signature"]["host"]
        pictures = []
        for row in samples:
            image = decode(page_bundle.path / "samples" / row["file"], channels=3, exif=host["exif"])
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.crop((left, top, left + side, top + side))
            pictures.append(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        return pictures

    @pytest.fixture(scope="class")
    def browser(self, film: Sequence[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        file = write_film(tmp_path_factory.mktemp("film") / "film.y4m", film, frames_each=3, rate=8)
        camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={file}")
        with chromium(*camera) as browser:
            yield browser

    @pytest.fixture
    def context(self, browser: Any) -> Iterator[Any]:
        made = browser.new_context(viewport=PHONE, permissions=["camera"])
        yield made
        made.close()

    def test_its_report_holds_what_a_real_browser_answered(self, bundle: nd.Bundle) -> None:
        check = bundle.report["browser"]
        assert check.status is Status.passed
        assert "real Chromium over 16 samples" in check.why

    def test_a_chosen_file_gets_the_learners_answer(
        self, context: Any, server: Served, page_bundle: nd.Bundle, samples: list[dict[str, Any]]
    ) -> None:
        page = opened(context, server.url)
        drifts = []
        for row in samples:
            answer = classified(page, page_bundle.path / "samples" / row["file"])
            assert row["label"] == answer["label"]
            assert list(row["probabilities"]) == list(answer["probabilities"])
            drifts.append(np.abs(np.array(list(row["probabilities"].values())) - answer["values"]).max())
        assert 1e-3 > max(drifts)

    def test_what_the_camera_sees_gets_the_learners_answer(
        self,
        context: Any,
        server: Served,
        program: nd.Program,
        film: list[Image.Image],
        samples: list[dict[str, Any]],
    ) -> None:
        run, signature = program.runner(), program.signature
        pictures = [np.asarray(picture, dtype=float) for picture in film]
        page = opened(context, server.url)
        until(page, "window.nbdeploy.mode === 'live' && window.nbdeploy.answer")
        left = set(range(len(samples)))
        end = time.monotonic() + 120
        while left and time.monotonic() < end:
            page.click("#freeze")
            until(page, ANSWERED)
            answer = page.evaluate("window.nbdeploy.answer")
            frozen = base64.b64decode(page.evaluate("document.querySelector('#still').toDataURL()").partition(",")[2])
            seen = np.asarray(Image.open(io.BytesIO(frozen)).convert("RGB"), dtype=float)
            shown = int(np.argmin([np.abs(picture - seen).mean() for picture in pictures]))
            # The very same bytes, and the picture that was filmed.
            expected = run(preprocess(frozen, signature.to_dict()["host"], channels=signature.channels))
            assert 1e-3 > np.abs(expected - answer["values"]).max()
            assert samples[shown]["label"] == answer["label"]
            left.discard(shown)
            page.click("#freeze")
            until(page, "window.nbdeploy.mode === 'live'")
        assert set() == left

    def test_it_works_offline_after_its_server_was_killed(
        self, context: Any, page_bundle: nd.Bundle, samples: list[dict[str, Any]]
    ) -> None:
        with served(page_bundle.path) as running:
            page = opened(context, running.url)
            until_text(page, "#standing", "Works offline")
            assert len(samples) == page.evaluate("window.nbdeploy.selfTest").get("same")
            running.kill()
            page.reload()
            page.evaluate("window.nbdeploy.ready")
            answer = classified(page, page_bundle.path / "samples" / samples[0]["file"])
            assert samples[0]["label"] == answer["label"]
            until_text(page, "#standing", "Offline")
            page.close()
            again = opened(context, f"{running.url}app/web/")  # and from the start, as from the home screen
            assert samples[1]["label"] == classified(again, page_bundle.path / "samples" / samples[1]["file"])["label"]

    def test_nothing_is_asked_of_another_origin(
        self, context: Any, server: Served, page_bundle: nd.Bundle, samples: list[dict[str, Any]]
    ) -> None:
        asked: list[str] = []
        said: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        context.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page = opened(context, server.url)
        until(page, "window.nbdeploy.mode === 'live' && window.nbdeploy.answer")
        classified(page, page_bundle.path / "samples" / samples[0]["file"])
        until_text(page, "#standing", "Works offline")
        assert any(url.endswith(".wasm") for url in asked)
        assert [] == [url for url in asked if not url.startswith((server.url, f"blob:{server.url}"))]
        assert [] == said
        refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => '', (error) => error.name)")
        assert "TypeError" == refused
        assert any("Content Security Policy" in line for line in said)  # it is the policy that refuses
