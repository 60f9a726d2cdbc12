"""An endpoint: the ONNX bundle with the server that answers for it over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nbdeploy.core.versions import installed
from nbdeploy.targets.base import TEMPLATES
from nbdeploy.targets.cloud_check import endpoint_check
from nbdeploy.targets.onnx import OnnxTarget

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.report import Check

SERVER = Path(__file__).resolve().parents[1] / "serve" / "endpoint"
NEEDS = ("limits", "numpy", "pillow", "prometheus-client", "python-multipart", "starlette", "uvicorn")
"""Distributions that the server imports, beside what the runtime needs."""


class CloudTarget(OnnxTarget):
    """The target onnx with ``app/server``, which needs neither nbdeploy nor torch."""

    name = "cloud"
    summary = "endpoint: ONNX, and a server that answers over HTTP"
    apps = ()  # type: ignore[assignment] # mypy counts the items
    platforms = (
        "Here: pip install -r app/server/requirements.txt, then: python app/server",
        "Elsewhere: nbdeploy deploy MODEL --target cloud --provider NAME puts it there.",
        "Others reach it with a token only: python app/server token NAME --tokens FILE makes one, once.",
    )
    row_platforms = platforms  # type: ignore[assignment] # as above

    def furnish(self, work: Path, *, name: str) -> None:
        super().furnish(work, name=name)
        self.furnish_rows(work)

    def furnish_rows(self, work: Path) -> None:
        for file, source in server_code().items():
            place = work / "app" / "server" / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
        versions = installed(*sorted({*NEEDS, *self.runtime_requirements}))
        lines = [f"{package}=={number}\n" for package, number in versions.items()]
        (work / "app" / "server" / "requirements.txt").write_text("".join(lines), encoding="utf-8")

    def checks(self, bundle: Bundle) -> list[Check]:
        from nbdeploy.targets.package import host_code  # noqa: PLC0415 - numpy

        server = {f"server/{file}": source for file, source in server_code().items()}
        host = {f"python/{file}": source for file, source in host_code(self, bundle.signature.kind).items()}
        return [endpoint_check(bundle, {**server, **host})]


def server_code() -> dict[str, Path]:
    """What lies in ``app/server`` beside the requirements: path -> nbdeploy's own copy."""
    files = (file for file in SERVER.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {
        **{file.relative_to(SERVER).as_posix(): file for file in sorted(files)},
        "page/tokens.css": TEMPLATES / "tokens.css",
    }
