"""The files of the page, as they lie in a bundle under ``app/web``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbdeploy.templates
from nbdeploy.targets.page import icons, npm

TEMPLATES = Path(nbdeploy.templates.__file__).parent
PLACE = "app/web"
_LICENCES = Path(__file__).with_name("licences")
_MAP = re.compile(rb"\n//# sourceMappingURL=\S+\s*$")
_CODE = {".html", ".js", ".css", ".wasm"}
_REDIRECT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=app/web/">
<title>Classifier</title>
<p><a href="app/web/">Open the classifier</a></p>
</html>
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file of a package: where it stands there, what it is called here, and what is changed so that a browser finds
    its imports without a bundler: pairs of text, each of which occurs exactly once, and a line to add at the end.
    """

    package: str
    inside: str
    name: str
    imports: tuple[tuple[str, str], ...] = ()
    before: str = ""
    after: str = ""

    def rendered(self, raw: bytes) -> bytes:
        """The file as it lies in a bundle. Raises ValueError when a text is not there exactly once."""
        if self.name.endswith(".wasm"):
            return raw
        raw = _MAP.sub(b"\n", raw)
        for old, new in self.imports:
            if raw.count(old.encode()) != 1:
                raise ValueError(f"{self.package}/{self.inside} has {old!r} {raw.count(old.encode())} times, not once")
            raw = raw.replace(old.encode(), new.encode())
        return self.before.encode() + raw + self.after.encode()


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs the model in the page: our own engine file, the files of npm's packages, and whose work they are."""

    engine: str
    files: tuple[Taken, ...]
    notices: tuple[tuple[str, str, str], ...]
    """Package, name of its licence, and its copyright line."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of npm that the files come from."""
        return tuple(dict.fromkeys(file.package for file in self.files))

    def versions(self) -> dict[str, str]:
        """Package -> version, for the manifest."""
        return {name: npm.locked()[name].version for name in self.packages}


def own_files(runtime: Runtime) -> dict[str, bytes]:
    """The code of nbdeploy's own in the page: path under ``app/web`` -> bytes."""
    web = TEMPLATES / "web"
    files = {path.name: path.read_bytes() for path in sorted(web.iterdir()) if path.is_file()}
    files["engine.js"] = (web / "engines" / runtime.engine).read_bytes()
    files["tokens.css"] = (TEMPLATES / "tokens.css").read_bytes()
    return files


def runtime_files(runtime: Runtime, archives: Mapping[str, Path]) -> dict[str, bytes]:
    """The code from npm in the page: path under ``app/web`` -> bytes."""
    files: dict[str, bytes] = {}
    for package in runtime.packages:
        wanted = [file for file in runtime.files if file.package == package]
        raw = npm.read(archives[package], [file.inside for file in wanted])
        files |= {f"runtime/{file.name}": file.rendered(raw[file.inside]) for file in wanted}
    return files


def write(work: Path, runtime: Runtime, *, name: str) -> None:
    """Write the page of the model `name` into the bundle's folder `work`, and an index.html that leads there."""
    files = {
        **own_files(runtime),
        **runtime_files(runtime, npm.fetch(runtime.packages)),
        "manifest.webmanifest": _webmanifest(name),
        "licences.txt": "\n".join(_licences(runtime)).encode(),
        "icons/icon.svg": icons.svg().encode(),
        "icons/icon-192.png": icons.png(192, rounded=True),
        "icons/icon-512.png": icons.png(512, rounded=True),
        "icons/maskable-512.png": icons.png(512, rounded=False),
        "icons/apple-touch-icon.png": icons.png(180, rounded=False),
    }
    for path, content in files.items():
        file = work / PLACE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (work / "index.html").write_text(_REDIRECT, encoding="utf-8")


def foreign(folder: Path, runtime: Runtime) -> str:
    """The first file of the page at `folder` that a browser would execute and that is not nbdeploy's or npm's own; ""
    where there is none. What npm's files are is known from the cache; without it, the first of them is named.
    """
    archives = npm.cached(runtime.packages)
    theirs = runtime_files(runtime, archives) if len(archives) == len(runtime.packages) else {}
    expected = {**own_files(runtime), **theirs}
    place = folder / PLACE
    present = [path for path in sorted(place.rglob("*")) if path.is_file() and path.suffix in _CODE]
    names = {path.relative_to(place).as_posix(): path for path in present}
    wrong = [name for name, path in names.items() if expected.get(name) != path.read_bytes()]
    return next(iter([*wrong, *(set(expected) - set(names))]), "")


def _webmanifest(name: str) -> bytes:
    def icon(file: str, side: int, purpose: str) -> dict[str, str]:
        return {"src": f"icons/{file}", "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}

    document = {
        "id": "./",
        "name": name,
        "short_name": name if len(name) <= 12 else name[:11] + "…",  # noqa: PLR2004 - what launchers have room for
        "description": "Says what is in a picture, on this device, without a network.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#15181c",
        "theme_color": "#15181c",
        "icons": [
            icon("icon-192.png", 192, "any"),
            icon("icon-512.png", 512, "any"),
            icon("maskable-512.png", 512, "maskable"),
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _licences(runtime: Runtime) -> Iterator[str]:
    yield "What runs the model in this page, and its licences. The page itself is nbdeploy's, under Apache-2.0.\n"
    for package, licence, holder in runtime.notices:
        yield f"{package} {npm.locked()[package].version}: {licence}. {holder}"
    for licence in sorted({licence for _, licence, _ in runtime.notices} | {"Apache-2.0"}):
        yield f"\n{'-' * 80}\n{licence}\n{'-' * 80}\n"
        yield (_LICENCES / f"{licence}.txt").read_text(encoding="utf-8")
