"""report.html: what it says, that it asks for nothing from outside, and that it can be read."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from nbdeploy.core.recipe import RECIPES
from nbdeploy.core.report import Check, FileResult, Report, Status
from nbdeploy.core.signature import Signature, Step
from nbdeploy.verification.html import PICTURES_MAX, TEMPLATES, render_report, thumbnail
from tests.browser import LOW_CONTRAST, chromium

HOSTILE = "<script>alert(1)</script>\" onload='x' 😀 \u202e" + "very long " * 20
METRICS = {
    "files": 360,
    "accuracy_original": 0.975,
    "accuracy_deployed": 0.9722,
    "accuracy_original_interval": [0.953, 0.987],
    "accuracy_deployed_interval": [0.950, 0.985],
    "top1_agreement": 359 / 360,
    "ties": 0,
    "max_abs_diff": 0.0131,
    "mean_abs_diff": 0.00021,
    "size_bytes": 22_400_512,
    "conversion_s": 14.2,
    "latency_ms_p50": 6.31,
    "latency_ms_p90": 7.02,
    "latency_ms_p50_original": 12.1,
    "latency_ms_p90_original": 14.8,
    "peak_memory_mb": 61.2,
}
AGREED = Check("top1_agreement", Status.passed, 359 / 360, 0.995, "359 of 360 got the same answer.")
DIFFERED = Check("top1_agreement", Status.failed, 0.9167, 0.98, "30 of 360 got another answer.")


def render(checks: tuple[Check, ...] = (AGREED,), **given: Any) -> str:
    labels = given.pop("labels", ("cat", "dog"))
    steps = (Step(op="crop_resize", width=64, height=64),)
    signature = Signature(width=64, height=64, channels=3, labels=labels, steps=steps, graph=("divide by 255",))
    facts = {
        "name": "pets",
        "version": "1",
        "target": "onnx",
        "recipe": RECIPES[given.pop("recipe", "fp16")].to_dict(),
        "signature": signature.to_dict(),
        "tools": {"torch": "2.14.1"},
        **given.pop("facts", {}),
    }
    report = Report(
        checks,
        given.pop("metrics", METRICS),
        given.pop("changed", ()),
        given.pop("confusion", ((30, 1), (2, 27))),
        given.pop("diagnosis", ""),
    )
    pictures, drifts = given.pop("pictures", {}), given.pop("drifts", ())
    return render_report(report, title="pets", facts=facts, labels=labels, pictures=pictures, drifts=drifts, **given)


class Page(HTMLParser):
    """The words a person sees, the tags, and the addresses that a browser would ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words)).replace(" :", ":").replace(" .", ".")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]

    def handle_data(self, data: str) -> None:
        if not self.tags or self.tags[-1] != "style":
            self.words.append(data)


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30), kind: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **how)
    return out.getvalue()


def test_a_passed_report_says_so_in_plain_words() -> None:
    said = Page(render()).text
    assert "Verified: the deployed model gave the same answer as the original on 359 of 360 held-out pictures" in said
    assert "original 97.5 %, −0.3 points" in said
    assert "95 % interval 95.0 to 98.5 %" in said
    assert "original 12.1 ms, 1.9 times faster" in said
    assert "22.4 MB" in said


def test_a_failed_report_puts_failures_first_and_says_what_to_do_next() -> None:
    skipped = Check("second_load", Status.not_run, why="No second process could be started.")
    labels = Check("labels", Status.passed, why="2 labels in order.")
    metrics = {**METRICS, "top1_agreement": 330 / 360}
    said = Page(render((labels, skipped, DIFFERED), recipe="static_int8", metrics=metrics)).text
    assert "Not verified: the deployed model gave another answer than the original on 30 of 360" in said
    places = [said.index(why) for why in (DIFFERED.why, skipped.why, labels.why)]
    assert sorted(places) == places
    assert "91.7 % at least 98.0 %" in said
    assert 'Next: Deploy again with a recipe that keeps more of the model: recipe="fp16"' in said
    assert "1 check was not run." in said


def test_the_same_next_step_is_said_once() -> None:
    drifted = Check("mean_drift", Status.failed, 0.06, 0.05, "Moved too far.")
    said = Page(render((DIFFERED, drifted), recipe="static_int8")).text
    assert 1 == said.count("Deploy again with a recipe")
    assert "Next: The same as above." in said


def test_an_accepted_failure_is_shown_with_its_reason() -> None:
    accepted = {"why": "The demo is on <Friday>.", "checks": ["top1_agreement"]}
    said = Page(render((DIFFERED,), facts={"accepted_failure": accepted})).text
    assert "Put in place although checks failed: The demo is on <Friday>." in said
    assert "1 failed, 0 not run, 0 passed" in said


def test_not_compared_never_reads_as_verified() -> None:
    skipped = Check("top1_agreement", Status.not_run, why="The runtime is not installed here.")
    said = Page(render((skipped,), metrics={"size_bytes": 812}, confusion=())).text
    assert "Not verified: the deployed model was not compared with the original" in said
    assert "Verified:" not in said
    assert "Not measured. The runtime is not installed here." in said
    assert "Not measured. The timing was not run when this report was made." in said


def test_a_report_of_nothing_but_a_title_still_opens() -> None:
    said = Page(render_report(Report(()), title="x", facts={}, labels=(), pictures={})).text
    assert "This report holds no checks." in said
    assert "Verified:" not in said


def test_figures_that_are_not_numbers_are_not_measured() -> None:
    metrics = {**METRICS, "accuracy_deployed": "nan", "latency_ms_p50": float("nan"), "max_abs_diff": "inf"}
    broken = Check("max_drift", Status.failed, "nan", 0.02, "A probability is not a number.")
    lost = FileResult("a.png", "cat", "cat", "dog", 0.5, float("nan"), float("nan"))
    said = Page(render((broken,), metrics=metrics, changed=(lost,), drifts=[float("nan")])).text
    assert "Not verified: the check “max drift” failed" in said
    assert "nan at most 0.02" in said
    assert "not a number" in said
    assert "Not measured. The held-out pictures came without true labels." in said


def test_hostile_labels_and_file_names_stay_text() -> None:
    row = FileResult(HOSTILE, HOSTILE, HOSTILE, "dog", 0.5, 0.6, 0.1)
    html = render(
        (Check(HOSTILE, Status.failed, HOSTILE, HOSTILE, HOSTILE),),
        labels=(HOSTILE, "dog"),
        changed=(row,),
        diagnosis=HOSTILE,
        facts={"name": HOSTILE, "files": {HOSTILE: {"sha256": "ab"}}, "tools": {HOSTILE: HOSTILE}},
    )
    assert "script" not in Page(html).tags
    assert "onload" not in Page(html).attributes
    assert "<script>alert(1)</script>" in Page(html).text


def test_it_asks_for_nothing_from_outside() -> None:
    row = FileResult("http://example.org/a.png", "cat", "cat", "dog", 0.5, 0.6, 0.1)
    pictures = {row.file: thumbnail(picture())}
    html = render(changed=(row,), pictures=pictures, labels=("https://example.org", "dog"))
    addresses = Page(html).addresses
    assert any(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert [] == [address for address in addresses if not address.startswith(("data:", "#"))]
    assert not re.search(r"@import|url\(", html)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html


def test_bytes_that_are_no_picture_are_not_embedded() -> None:
    row = FileResult("a.svg", "cat", "cat", "dog", 0.5, 0.6, 0.1)
    html = render(changed=(row,), pictures={"a.svg": b"<svg onload=alert(1)>"})
    assert "img" not in Page(html).tags
    assert "no preview" in Page(html).text


def test_many_changed_files_show_those_that_moved_most() -> None:
    rows = tuple(FileResult(f"{n:03}.png", "cat", "cat", "dog", 0.5, 0.6, n / 100) for n in range(100))
    page = Page(render((DIFFERED,), changed=rows))
    assert PICTURES_MAX == page.tags.count("figure")
    assert f"The {PICTURES_MAX} with the largest drift, of 100." in page.text
    assert page.text.index("099.png") < page.text.index("098.png")


def test_sixty_classes_are_shown_as_the_pairs_most_confused() -> None:
    labels = tuple(f"breed {n}" for n in range(60))
    matrix = [[50 if t == a else 0 for a in range(60)] for t in range(60)]
    matrix[7][9] = 12
    page = Page(render(labels=labels, confusion=tuple(map(tuple, matrix))))
    assert "breed 7 breed 9 12 of 62 19.4 %" in page.text
    assert "Confusion table" not in page.text
    assert 1 == page.text.count("12 of 62")


def test_few_classes_are_shown_as_a_table() -> None:
    html = render()
    assert 'aria-label="Confusion table"' in html
    assert "Most often dog was taken for cat: 2 of 29." in Page(html).text


@pytest.mark.parametrize(
    ("drifts", "said"),
    [
        ([0.0, 0.0], "all 2 pictures got exactly the same probabilities"),
        ([1e-6, 2e-6, 3e-2], "moved by 2 × 10⁻⁶ or less, the worst by 0.03. 1 is over the limit of 0.02."),
        ([1e-30, 1.0], "the worst by 1.00"),
        ([0.02], "None is over the limit of 0.02."),
    ],
)
def test_drift_is_drawn_and_said(drifts: list[float], said: str) -> None:
    assert said in Page(render(drifts=drifts)).text


def test_a_share_is_never_rounded_up_to_all() -> None:
    said = Page(render(metrics={**METRICS, "files": 3000, "top1_agreement": 2999 / 3000})).text
    assert "99.97 %" in said
    assert "on 2,999 of 3,000 held-out pictures" in said


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"not a picture",
        picture(kind="JPEG", size=(400, 300))[:300],
        "no/such/file.png",
        picture("1", (30_000, 30_000)),
    ],
    ids=["empty", "text", "truncated", "missing", "bomb"],
)
def test_a_thumbnail_of_a_bad_file_is_a_neutral_placeholder(source: bytes | str) -> None:
    with Image.open(io.BytesIO(thumbnail(source))) as shown:
        assert ((160, 160), "JPEG") == (shown.size, shown.format)
        red, green, blue = shown.getpixel((80, 20))
    assert max(red, green, blue) - min(red, green, blue) < 20
    assert 100 < green < 220


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "F"])
def test_a_thumbnail_takes_any_kind_of_pixel(mode: str) -> None:
    source = picture(mode, (400, 200), "TIFF")
    with Image.open(io.BytesIO(thumbnail(source))) as shown:
        assert ((160, 80), "RGB") == (shown.size, shown.mode)


def test_a_thumbnail_of_a_tiny_picture_shows_its_pixels() -> None:
    with Image.open(io.BytesIO(thumbnail(picture(size=(2, 1))))) as shown:
        assert (160, 80) == shown.size


def test_a_thumbnail_is_turned_only_when_asked() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = picture(size=(400, 200), kind="JPEG", exif=exif)
    sizes = [Image.open(io.BytesIO(thumbnail(source, exif=turn))).size for turn in (False, True)]
    assert [(160, 80), (80, 160)] == sizes


def tokens() -> dict[str, tuple[str, str]]:
    """Each colour token's own value, light and dark."""
    css = (TEMPLATES / "tokens.css").read_text(encoding="utf-8")
    found = re.findall(r"--nbd-([\w-]+):[^;]*?light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", css)
    return {name: (light, dark) for name, light, dark in found}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours written as #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "grounds"),
    [
        ("text", "bg sunken accent-soft failed-soft warned-soft"),
        ("muted", "bg sunken accent-soft failed-soft warned-soft"),
        ("accent", "bg sunken accent-soft"),
        ("on-accent", "accent"),
        ("passed", "bg sunken"),
        ("failed", "bg sunken failed-soft"),
        ("warned", "bg sunken warned-soft"),
    ],
)
def test_text_colours_reach_wcag_aa(text: str, grounds: str, theme: int) -> None:
    colours = tokens()
    ratios = {ground: contrast(colours[text][theme], colours[ground][theme]) for ground in grounds.split()}
    assert {} == {ground: round(ratio, 2) for ground, ratio in ratios.items() if ratio < 4.5}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_bars_and_lines_reach_wcag_aa_for_graphics(theme: int) -> None:
    colours = tokens()
    ratios = {name: contrast(colours[name][theme], colours["bg"][theme]) for name in ("plain", "accent", "line-strong")}
    assert {} == {name: round(ratio, 2) for name, ratio in ratios.items() if ratio < 3}


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways_and_in_readable_colours(browser, theme, tmp_path) -> None:
    labels = tuple(f"{n} {HOSTILE}" for n in range(40))
    matrix = tuple(tuple(1 + 40 * (t == a) if (t + a) % 3 == 0 else 0 for a in range(40)) for t in range(40))
    name = "a" * 200 + ".png"
    row = FileResult(name, labels[0], labels[0], labels[1], 0.5, 0.6, 0.1)
    checks = (DIFFERED, Check("second_load", Status.not_run, why=HOSTILE), Check("x" * 200, Status.passed))
    html = render(
        checks,
        labels=labels,
        confusion=matrix,
        changed=(row,),
        pictures={name: thumbnail(picture())},
        drifts=[1e-4, 1e-2, 0.3],
        facts={"dataset": "f" * 64, "name": HOSTILE, "files": {name: "a" * 64}},
    )
    (tmp_path / "report.html").write_text(html.replace("<details>", "<details open>"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 375, "height": 800}, color_scheme=theme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    assert 375 == page.evaluate("document.documentElement.scrollWidth")
    assert [] == page.evaluate(LOW_CONTRAST, "body")
    assert [] == said
    assert [] == [url for url in asked if not url.startswith(("file:", "data:"))]
    page.close()
