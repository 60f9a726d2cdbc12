"""The endpoint's two pages, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdeploy.serve.endpoint.tokens import make
from tests.browser import LOW_CONTRAST, chromium
from tests.serve.made import Served, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as one:
        yield one


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chosen_picture_is_answered_and_nothing_comes_from_elsewhere(
    browser: Any, server: Served, cloud_bundle: Path, tmp_path: Path, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda one: said.append(one.text))
    page.goto(server.url)
    page.get_by_text("✓ ready").wait_for()
    assert [] == page.evaluate(LOW_CONTRAST, "body")
    assert f"curl -F file=@photo.jpg {server.url}predict" == page.inner_text("#curl")
    page.set_input_files("#file", str(cloud_bundle / "samples" / "2.jpg"))
    page.get_by_text("Model ").wait_for()
    assert "grün 🍏" == page.inner_text("#verdict")
    assert 3 == page.get_by_role("listitem").count()
    assert page.get_by_role("listitem").first.inner_text().startswith("grün 🍏")
    assert [] == page.evaluate(LOW_CONTRAST, "body")
    assert 360 >= page.evaluate("document.documentElement.scrollWidth")
    assert [] == said
    (tmp_path / "no.png").write_text("no picture")
    page.set_input_files("#file", str(tmp_path / "no.png"))
    page.get_by_text("✕ The picture cannot be read").wait_for()
    assert [] == page.evaluate(LOW_CONTRAST, "body")
    page.goto(f"{server.url}docs")
    page.get_by_text("/v2/models/{name}/infer").wait_for()
    assert [] == page.evaluate(LOW_CONTRAST, "body")
    assert 360 >= page.evaluate("document.documentElement.scrollWidth")
    assert all(url.startswith((server.url, "blob:", "data:")) for url in asked), asked
    context.close()


def test_where_a_token_is_needed_it_is_asked_for(browser: Any, cloud_bundle: Path, tmp_path: Path) -> None:
    token = make("me", tmp_path / "tokens")
    with served(cloud_bundle, "--port", "0", "--tokens", str(tmp_path / "tokens")) as one:
        page = browser.new_page()
        page.goto(one.url)
        page.set_input_files("#file", str(cloud_bundle / "samples" / "1.png"))
        page.get_by_text("✕ A token is needed.").wait_for()
        assert "token" == page.evaluate("document.activeElement.id")
        page.get_by_label("Token").fill(token)
        page.set_input_files("#file", str(cloud_bundle / "samples" / "1.png"))
        page.get_by_text("Model ").wait_for()
        assert "red apple" == page.inner_text("#verdict")
        assert "-H 'Authorization: Bearer TOKEN'" in page.inner_text("#curl")
        assert "red apple" not in one.ask("GET", "/openapi.json").body.decode()
        page.close()
