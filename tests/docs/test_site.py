"""The site is built without a warning, has a page for everything, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.options import MAGICS, VERBS

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class _Loads(HTMLParser):
    """The addresses that a browser fetches by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag in LOADED and of.get("rel") not in {"canonical", "license"}:
            self.found.append(of.get(LOADED[tag]) or "")


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, its tutorials not run."""
    out = tmp_path_factory.mktemp("site")
    words = [
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
        "-c",
        "docs",
        "-d",
        str(out / "doctrees"),
        ".",
        str(out / "html"),
    ]
    env = {**os.environ, "NBDEPLOY_DOCS_EXECUTE": "off", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return out / "html"


def text(site: Path, page: str) -> str:
    return re.sub(r"<[^>]+>", "", (site / "docs" / f"{page}.html").read_text(encoding="utf-8"))


def test_options_and_quotes_are_shown_as_they_are_typed(site: Path) -> None:
    assert "which data set; --list shows them" in text(site, "reference/terminal")
    assert 'a comparison in quotes, as "&gt;= 0.95"' in text(site, "pipeline").replace("&quot;", '"')
    assert "put, when the run is given --provide" in text(site, "pipeline")


@pytest.mark.slow
def test_it_is_built_without_a_warning_and_begins_at_its_root(site: Path) -> None:
    assert "docs/index.html" in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "docs" / "index.html").is_file()


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert 30 <= len(pages)
    for page in pages:
        loads = _Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert [] == [one for one in loads.found if re.match(r"(https?:)?//", one)], page.name


@pytest.mark.slow
def test_no_style_loads_anything_from_elsewhere(site: Path) -> None:
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style.name


@pytest.mark.slow
def test_the_reference_has_every_public_name_verb_and_magic(site: Path) -> None:
    html = (site / "docs" / "reference" / "python.html").read_text(encoding="utf-8")
    names = set(nd.__all__) - {"errors", "__version__"}
    assert set() == {name for name in names if f'id="nbdeploy.{name}"' not in html}
    assert "nbdeploy.building" not in html
    terminal, magics = text(site, "reference/terminal"), text(site, "reference/magics")
    assert [] == [verb for verb in VERBS if f"nbdeploy {verb}" not in terminal]
    assert [] == [magic for magic in MAGICS if f"%{magic}" not in magics]
    assert "--calibration-files" in terminal


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.targets.own)
def test_the_page_of_a_target_has_its_facts(name: str, site: Path) -> None:
    page, target = text(site, f"targets/{name}"), registry.targets.load(name)
    extra = registry.targets[name].extra
    assert [] == [recipe for recipe in target.recipes if recipe not in page]
    assert (f"nbdeploy[{extra}]" if extra else "comes with nbdeploy") in page
    assert [] == [alias for alias in registry.targets[name].aliases if alias not in page]


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.providers.own)
def test_the_page_of_a_provider_has_its_facts(name: str, site: Path) -> None:
    page, provider = text(site, f"providers/{name}"), registry.providers.load(name)
    extra = registry.providers[name].extra
    assert [] == [setting.name for setting in provider.settings if setting.name not in page]
    assert (f"nbdeploy[{extra}]" if extra else "comes with nbdeploy") in page
    assert provider.status_here in page


HEADINGS = {
    "targets": [
        "Make it",
        "What lies in the folder",
        "Use it",
        "What was run here, and what was not",
        "Limits",
        "Undo",
    ],
    "providers": [
        "What you need",
        "Do it",
        "What lands where",
        "Then",
        "What was run here, and what was not",
        "Limits",
        "Undo",
    ],
}


@pytest.mark.parametrize("kind", HEADINGS)
def test_there_is_a_page_for_each_with_the_same_parts(kind: str, root: Path) -> None:
    own = getattr(registry, kind).own
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (root / "docs" / kind).glob("*.md")}
    assert {*own, "index"} == set(pages)
    for name in own:
        assert HEADINGS[kind] == re.findall(r"^## (.+)$", pages[name], re.MULTILINE), name
        assert f"<!-- facts: {kind[:-1]} {name} -->" in pages[name]
        command = f"--target {name}" if kind == "targets" else f"--provider {name}"
        assert command in pages[name]


def test_every_link_and_picture_of_a_page_is_there(root: Path) -> None:
    for page in [root / "README.md", *(root / "docs").rglob("*.md"), root / "notebooks" / "README.md"]:
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), f"{page.relative_to(root)} links to {link}"
