"""The tfjs target."""

from __future__ import annotations

from typing import Any

import pytest

import nbdeploy as nd
from nbdeploy import registry
from tests.targets.page import PHONE, PageContract, Served, classified, opened


@pytest.mark.slow
@pytest.mark.browser
class TestTfjs(PageContract):
    """Held to what every target with a page promises."""

    target = "tfjs"

    def test_the_build_for_engines_without_relaxed_simd_answers_the_same(
        self, browser: Any, server: Served, page_bundle: nd.Bundle, samples: list[dict[str, Any]]
    ) -> None:
        engine = (page_bundle.path / "app" / "web" / "engine.js").read_text(encoding="utf-8")
        asked = "(await supportsFeature('relaxedSimd'))"
        assert 1 == engine.count(asked)
        as_safari = engine.replace(asked, "false")
        context = browser.new_context(viewport=PHONE, service_workers="block")
        loaded: list[str] = []
        context.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
        context.route("**/engine.js", lambda r: r.fulfill(body=as_safari, content_type="text/javascript"))
        page = opened(context, server.url)
        answer = classified(page, page_bundle.path / "samples" / samples[0]["file"])
        assert samples[0]["label"] == answer["label"]
        assert list(samples[0]["probabilities"].values()) == pytest.approx(answer["values"], abs=1e-3)
        assert "litert_wasm_compat_internal.wasm" in loaded
        assert "litert_wasm_internal.wasm" not in loaded
        context.close()


def test_tensorflow_js_is_another_name_for_it() -> None:
    assert "tfjs" == registry.targets.canonical("tensorflow-js")
