"""The collector as a person meets it: JupyterLab, a kernel, Chromium, and a camera made of a file."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nbdeploy.data.collect.collection import Collection
from nbdeploy.errors import NbdeployWarning
from tests.browser import LOW_CONTRAST, chromium
from tests.data.collect.conftest import encoded, scene
from tests.lab import Book, Server, jupyter, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = {
    "load": "%load_ext nbdeploy",
    "collect": "collector = %collect pets --classes cat,dog\ncollector",
    "pid": "import os; print(f'pid {os.getpid()}.')",
}
DROP = """([selector, files]) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files)
    transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
  const event = (kind) => new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true});
  for (const kind of ['dragover', 'drop']) document.querySelector(selector).dispatchEvent(event(kind));
}"""
PASTE = """([data]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], 'image.png', {type: 'image/png'}));
  const paste = new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true});
  document.querySelector('.nbd-collector').dispatchEvent(paste);
}"""


class Pets:
    """The widget on its page, and its folder."""

    def __init__(self, book: Book, server: Server) -> None:
        self.book, self.page, self.folder = book, book.page, server.work / "pets"
        self.root = self.page.locator(".nbd-collector")

    def drop(self, files: Sequence[tuple[str, bytes]], onto: str = ".nbc-zone") -> None:
        self.page.evaluate(DROP, [onto, [(name, base64.b64encode(data).decode()) for name, data in files]])

    def number(self, label: str, number: int) -> None:
        """Wait until a class shows that many pictures."""
        shown = self.root.locator(f'.nbc-class[data-label="{label}"] .nbc-number', has_text=f"{number}")
        self.page.wait_for_function(
            "([label, number]) => number === "
            "document.querySelector(`.nbc-class[data-label='${label}'] .nbc-number`)?.textContent",
            arg=[label, str(number)],
        )
        assert str(number) == shown.inner_text()

    def shown(self, label: str) -> int:
        return int(self.root.locator(f'.nbc-class[data-label="{label}"] .nbc-number').inner_text())

    def files(self, label: str) -> list[Path]:
        return sorted(self.folder.joinpath(label).iterdir())

    def tab(self, name: str) -> None:
        self.root.get_by_role("tab", name=name).click()

    def tile(self, words: str) -> Any:
        return self.root.locator(f'.nbc-look[aria-label*="{words}"]').first

    def state(self) -> dict[str, Any]:
        """What the folder holds, as a new Collection reads it."""
        return {label: one.train + one.held for label, one in Collection(self.folder).counts.items()}


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of film for Chromium's fake camera: red on the left, blue on the right, and something that moves."""
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        pytest.skip("there is no ffmpeg here")
    film = tmp_path_factory.mktemp("camera") / "film.y4m"
    sources = [
        "color=red:size=64x96:rate=10:duration=2",
        "testsrc2=size=64x96:rate=10:duration=2",
        "color=blue:size=64x96:rate=10:duration=2",
    ]
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    command = [ffmpeg, "-loglevel", "error", *inputs, "-filter_complex", "hstack=inputs=3", "-pix_fmt", "yuv420p", film]
    subprocess.run(command, check=True)
    return film


@pytest.fixture(scope="module")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter(tmp_path_factory.mktemp("lab"), root, environment={"NO_PROXY": "*"}) as server:
        write_notebook(server.work / "book.ipynb", list(CELLS.values()))
        yield server


@pytest.fixture(scope="module")
def pets(lab: Server, camera: Path) -> Iterator[Pets]:
    flags = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}")
    with chromium(*flags) as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 1100})
        context.set_default_timeout(20_000)
        opened = Pets(Book(context.new_page(), CELLS), lab)
        opened.book.open(lab.page("book.ipynb"))
        opened.book.run_all()
        opened.root.wait_for(timeout=60_000)
        opened.book.outputs("pid").first.wait_for(timeout=60_000)
        yield opened


def test_the_first_sight_says_what_to_do(pets: Pets) -> None:
    assert "nothing collected yet" in pets.root.inner_text()
    assert "Drop pictures here, for cat" in pets.root.inner_text()
    assert ["1", "2"] == pets.root.locator(".nbc-class kbd").all_inner_texts()
    assert 'nd.Collector("pets", classes=["cat", "dog"])' in pets.book.text("collect")


def test_dropped_pictures_are_stored_and_screened_with_badges(pets: Pets) -> None:
    dark = encoded(scene(50).point(lambda value: value // 6))
    good = [(f"{number}.png", encoded(scene(number))) for number in range(3)]
    pets.drop([*good, ("copy.png", good[0][1]), ("dark.png", dark), ("page.jpg", b"<!DOCTYPE html>Sign in")])
    pets.tile("a web page, not a picture").wait_for()
    pets.number("cat", 4)
    assert "✗ no image" in pets.tile("a web page").inner_text()
    assert "! copy" in pets.tile("the same bytes as cat/0.png").inner_text()
    assert "! dark" in pets.tile("99 % of its pixels").inner_text()
    assert ["0.png", "1.png", "2.png", "dark.png"] == [path.name for path in pets.files("cat")]
    assert "4 pictures" in pets.root.locator(".nbc-head").inner_text()


def test_what_was_not_stored_can_be_listed(pets: Pets) -> None:
    pets.root.get_by_role("button", name="Not stored 2").click()
    assert 2 == pets.root.locator(".nbc-tile").count()
    pets.tile("a web page").focus()
    assert "not stored: a web page, not a picture" in pets.root.locator(".nbc-detail").inner_text()
    pets.root.get_by_role("button", name="All 6").click()


def test_dropping_onto_a_class_puts_them_there(pets: Pets) -> None:
    pets.drop([("a.png", encoded(scene(20)))], onto='.nbc-class[data-label="dog"]')
    pets.number("dog", 1)


def test_undo_and_redo_by_keyboard(pets: Pets) -> None:
    pets.root.focus()
    pets.page.keyboard.press("Control+z")
    pets.number("dog", 0)
    pets.page.keyboard.press("Control+Shift+Z")
    pets.number("dog", 1)


def test_a_pasted_picture_goes_to_the_chosen_class(pets: Pets) -> None:
    pets.root.focus()
    pets.page.keyboard.press("2")
    pets.page.evaluate(PASTE, [base64.b64encode(encoded(scene(21))).decode()])
    pets.number("dog", 2)


def test_a_folder_of_class_folders_is_asked_about(pets: Pets, tmp_path: Path) -> None:
    for number, label in enumerate(("fish", "fish", "frog")):
        (tmp_path / "more" / label).mkdir(parents=True, exist_ok=True)
        scene(30 + number).save(tmp_path / "more" / label / f"{number}.png")
    pets.root.locator("input[webkitdirectory]").set_input_files(tmp_path / "more")
    question = pets.root.get_by_role("group", name="What was dropped")
    question.wait_for()
    assert "3 pictures in 2 folders: fish (2), frog (1)." in question.inner_text()
    pets.page.keyboard.press("Enter")  # the first answer has the focus
    pets.number("fish", 2)
    pets.number("frog", 1)
    assert ["cat", "dog", "fish", "frog"] == pets.root.locator(".nbc-class .nbc-name").all_inner_texts()


def test_no_key_reaches_the_notebook(pets: Pets) -> None:
    cells = pets.page.locator(".jp-Notebook .jp-Cell").count()
    pets.root.focus()
    for key in ("a", "b", "d", "d", "x", "m", "y", "Escape"):
        pets.page.keyboard.press(key)
    pets.page.keyboard.press("n")
    pets.page.keyboard.type("abdd")
    assert cells == pets.page.locator(".jp-Notebook .jp-Cell").count()
    assert "abdd" == pets.root.get_by_label("New class").input_value()
    pets.root.get_by_label("New class").fill("")


def test_a_class_is_added_and_renamed_by_keyboard(pets: Pets) -> None:
    pets.root.focus()
    pets.page.keyboard.press("n")
    pets.page.keyboard.type("newt")
    pets.page.keyboard.press("Enter")
    pets.number("newt", 0)
    pets.root.locator('.nbc-class[data-label="newt"]').focus()
    pets.page.keyboard.press("F2")
    pets.page.keyboard.press("Control+a")
    pets.page.keyboard.type("toad")
    pets.page.keyboard.press("Enter")
    pets.number("toad", 0)


def test_the_camera_refused_is_named_and_files_are_offered(pets: Pets) -> None:
    pets.tab("Camera")
    pets.root.get_by_role("button", name="Turn camera on").click()
    told = pets.root.locator(".nbc-camera [role=alert]")
    told.wait_for()
    assert told.inner_text().startswith("✗ NotAllowedError – the camera was not allowed for this page")
    with pets.page.expect_file_chooser() as chosen:
        pets.root.locator(".nbc-camera").get_by_role("button", name="Choose files").click()
    chosen.value.set_files({"name": "instead.png", "mimeType": "image/png", "buffer": encoded(scene(40))})
    pets.number("toad", 1)


def test_holding_the_key_of_a_class_records_a_session(pets: Pets) -> None:
    pets.page.context.grant_permissions(["camera"])
    pets.tab("Camera")
    pets.root.locator(".nbc-camera .nbc-zone button").last.click()  # "Turn camera on", or "Try the camera again"
    pets.root.locator("video").wait_for()
    pets.page.wait_for_function("document.querySelector('.nbc-video').videoWidth > 0")
    pets.root.focus()
    before = pets.shown("dog")
    for _ in range(2):
        pets.page.keyboard.down("2")
        pets.page.wait_for_function("/dog: [4-9]/.test(document.querySelector('.nbc-status').textContent)")
        pets.page.keyboard.up("2")
    pets.page.wait_for_function("!document.querySelector('.nbc-work').textContent")
    frames = [item for item in Collection(pets.folder).items if item.source.kind == "webcam"]
    assert 3 <= len(frames)  # a busy machine films slowly
    assert 2 == len({item.session for item in frames})
    kept = [item for item in frames if item.status == "kept"]
    assert {item.session for item in kept} == {item.group for item in kept}
    pets.number("dog", before + len(kept))
    picture = Image.open(pets.folder / kept[0].file).convert("RGB")
    assert (192, 96) == picture.size
    left, right = picture.getpixel((10, 50)), picture.getpixel((180, 50))
    assert left[0] > 150 > left[2]  # what is kept is not mirrored: red is on the left
    assert right[2] > 150 > right[0]


def test_the_button_records_while_it_is_held(pets: Pets) -> None:
    pets.root.locator('.nbc-class[data-label="cat"]').click()
    shutter = pets.root.get_by_role("button", name="Hold to record cat")
    shutter.hover()
    pets.page.mouse.down()
    pets.page.wait_for_function("/cat: [2-9]/.test(document.querySelector('.nbc-status').textContent)")
    pets.page.mouse.up()
    pets.page.wait_for_function("!document.querySelector('.nbc-status').textContent")
    shutter.wait_for()


def test_leaving_the_camera_turns_it_off(pets: Pets) -> None:
    pets.page.evaluate("window.track = document.querySelector('.nbc-video').srcObject.getTracks()[0]")
    pets.tab("Links")
    assert "ended" == pets.page.evaluate("window.track.readyState")


class Pictures(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        number = self.path.strip("/")
        body = encoded(scene(int(number))) if number.isdigit() else b"no"
        self.send_response(200 if number.isdigit() else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_links_are_fetched_and_failures_listed(pets: Pets) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        links = pets.root.get_by_label("Links, one a line")
        links.fill(f"{url}/60, hen\n{url}/61, hen\n{url}/gone, hen")
        pets.root.get_by_role("button", name="Fetch").click()
        pets.number("hen", 2)
        pets.root.locator(".nbc-links").get_by_text("Fetched 3 of 3, 1 failed").wait_for()
        pets.tile("answers 404 Not Found").wait_for()
        assert f"{url}/60" in {item.source.name for item in Collection(pets.folder).items}
    finally:
        server.shutdown()
        server.server_close()


def test_a_picture_is_taken_back_with_the_delete_key(pets: Pets) -> None:
    pets.tile("/60").focus()
    pets.page.keyboard.press("Delete")
    pets.number("hen", 1)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_every_word_can_be_read_in_both_themes(pets: Pets, theme: str) -> None:
    pets.book.command("apputils:change-theme", theme=theme)
    light = "true" if theme.endswith("Light") else "false"
    pets.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
    for tab in ("Links", "Phone", "Camera", "Files"):
        pets.tab(tab)
        assert [] == pets.page.evaluate(LOW_CONTRAST, ".nbd-collector")


def test_everything_has_a_name_for_a_screen_reader(pets: Pets) -> None:
    unnamed = pets.page.evaluate(
        """() => [...document.querySelectorAll('.nbd-collector :is(button, input, select, textarea, [role=radio])')]
          .filter((one) => !one.hidden && !(one.ariaLabel || one.textContent.trim() || one.labels?.length))
          .map((one) => one.outerHTML)"""
    )
    assert [] == unnamed
    assert 1 == pets.root.locator('[role=radio][aria-checked="true"]').count()


def test_a_killed_kernel_is_said_and_nothing_shown_is_lost(pets: Pets) -> None:
    pid = int(pets.book.text("pid").partition("pid ")[2].partition(".")[0])
    before = {label: pets.shown(label) for label in ("cat", "dog", "fish", "hen")}
    data = [(f"late-{number}.png", encoded(scene(100 + number, side=400))) for number in range(30)]
    pets.root.locator('.nbc-class[data-label="fish"]').click()
    pets.drop(data, onto='.nbc-class[data-label="fish"]')
    pets.page.wait_for_function(
        "(before) => Number(document.querySelector('.nbc-class[data-label=fish] .nbc-number').textContent) > before",
        arg=before["fish"],
    )
    os.kill(pid, signal.SIGKILL)
    pets.root.get_by_text("The kernel of this notebook has ended").wait_for(timeout=30_000)
    acknowledged = pets.shown("fish")
    found = pets.state()
    assert acknowledged <= found["fish"]
    assert before | {"fish": found["fish"]} == {label: found[label] for label in before}
    for path in pets.folder.rglob("*.png"):
        if not any(part.startswith(".") for part in path.relative_to(pets.folder).parts):
            Image.open(path).load()


def test_after_a_restart_it_goes_on_with_what_is_there(pets: Pets) -> None:
    found = pets.state()
    pets.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    pets.book.run_all()
    pets.page.wait_for_function("!document.querySelector('.nbc-banner')?.textContent.includes('has ended')")
    for label, number in found.items():
        pets.number(label, number)
    pets.root.locator(".nbc-tile").first.wait_for()


def test_opened_without_a_kernel_it_shows_what_was_collected(pets: Pets, lab: Server) -> None:
    pets.book.command("docmanager:save")
    pets.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert not pets.page.locator("[data-nbd-static]").is_visible()  # the live one stands in its place
    shutil.copy(lab.work / "book.ipynb", lab.work / "opened-again.ipynb")  # its kernel knows no widget
    page = pets.page.context.new_page()
    page.goto(lab.page("opened-again.ipynb"))
    page.get_by_text("Run the cell to go on collecting.").wait_for(timeout=60_000)
    assert "collected in 6 classes" in page.locator(".jp-Notebook").inner_text()
    page.close()


def test_the_set_made_of_it_keeps_recordings_together(pets: Pets) -> None:
    with pytest.warns(NbdeployWarning):
        images = Collection(pets.folder).images
    groups: dict[str, set[str]] = {}
    for file in images:
        if file.label == "dog":
            groups.setdefault(file.group, set()).add(file.split)
    assert all(len(sides) == 1 for sides in groups.values())
