"""What was chosen: the arguments of one call of `nd.deploy`, and the line of Python that is that call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbdeploy.core.files import file_name
from nbdeploy.options import Code, python_call

CLOUD = "cloud"
"""The target whose bundles providers take."""
_HIDDEN = "..."


@dataclass(frozen=True, slots=True)
class Wanted:
    """`out`, `name` and `endpoint` are empty where they are the usual ones."""

    target: str = "tflite"
    recipe: str = "fp32"
    provider: str = ""
    name: str = ""
    out: str = ""
    endpoint: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    accept_failed: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other arguments of `nd.deploy`, as they are."""

    @property
    def lowered_to(self) -> str:
        """The target that the model is lowered to."""
        return CLOUD if self.provider else self.target

    def place(self, model: str) -> Path:
        """Where the bundle will lie; `model` is the model's own name."""
        if self.out.strip():
            return Path(self.out.strip()).expanduser()
        return Path("build") / f"{file_name(self.name or model) or 'model'}-{self.lowered_to}"

    def keywords(self, *, overwrite: bool) -> dict[str, Any]:
        """The arguments that differ from the defaults of `nd.deploy`."""
        chosen = {
            "target": self.lowered_to,
            "recipe": self.recipe if self.recipe != "fp32" else "",
            "name": self.name.strip(),
            "out": str(Path(self.out.strip()).expanduser()) if self.out.strip() else "",
            "provider": self.provider,
            "endpoint": self.endpoint.strip() if self.provider else "",
            "settings": {k: v for k, v in self.settings.items() if v != ""} if self.provider else {},
            "overwrite": overwrite,
            "accept_failed": self.accept_failed,
        }
        return {**{key: value for key, value in chosen.items() if value}, **self.more}

    def line(self, code: str, *, overwrite: bool, secret: frozenset[str] = frozenset()) -> str:
        """``nd.deploy(learn, target="tflite")``; `code` is the Python text of the model, `secret` names settings."""
        keywords = self.keywords(overwrite=overwrite)
        if "settings" in keywords:
            hidden = {key: _HIDDEN if key in secret else value for key, value in keywords["settings"].items()}
            keywords["settings"] = hidden
        return python_call("nd.deploy", Code(code), **keywords)
