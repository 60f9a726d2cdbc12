"""What the targets web and tfjs share: a page in the bundle, and a real browser that is asked about every sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from nbdeploy.targets.base import Target
from nbdeploy.targets.page import npm, site
from nbdeploy.targets.page.browser import browser_check

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle
    from nbdeploy.core.report import Check


class PageTarget(Target):
    """A model with the page that runs it. Comes before the target that lowers the model, in the list of bases."""

    page: ClassVar[site.Runtime]
    apps: ClassVar[tuple[Path, ...]] = ()
    beyond_pictures: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """The page has a camera, and nothing to write in."""
    platforms: ClassVar[tuple[str, ...]] = (
        "Here: nbdeploy serve BUNDLE --port 8000, and open the address that it prints.",
        "Phones and desktops: put this folder on a static host with HTTPS (GitHub Pages, say) and open app/web/ there.",
        "After the first visit the page works offline, and the browser's menu installs it.",
        "Phones on your network: nbdeploy serve BUNDLE --host 0.0.0.0 --certfile CERT.pem --keyfile KEY.pem.",
    )

    def fetch(self) -> None:
        npm.fetch(self.page.packages)

    def furnish(self, work: Path, *, name: str) -> None:
        super().furnish(work, name=name)
        site.write(work, self.page, name=name)

    def versions(self) -> dict[str, str]:
        return {**super().versions(), **self.page.versions()}

    def checks(self, bundle: Bundle) -> list[Check]:
        return [browser_check(bundle, self.page)]
