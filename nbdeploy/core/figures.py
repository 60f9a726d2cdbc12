"""What the figures share: the colours of the one look, their frame, and how one is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.errors import OutputError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The light tokens of templates/tokens.css: a figure is a picture, and cannot follow the host's theme.
TEXT, MUTED, LINE = "#1c2127", "#57606b", "#dde1e6"
ACCENT, PLAIN, FAILED, WARNED = "#2b5bc7", "#8a939e", "#b4261f", "#845400"


@contextmanager
def drawing() -> Iterator[Any]:
    """Matplotlib's pyplot, with the fonts and colours of the one look."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - slow to import

    with plt.rc_context({"font.size": 10, "font.family": "sans-serif", "text.color": TEXT, "axes.edgecolor": LINE}):
        yield plt


def frame(panel: Axes, title: str) -> None:
    """White ground, a title at the left, a quiet grid."""
    panel.set_facecolor("white")
    panel.set_title(title, loc="left", fontsize=10, fontweight="bold", color=TEXT)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(length=3, color=LINE, labelcolor=MUTED, labelsize=9)
    panel.grid(color=LINE, linewidth=0.6, zorder=0)


def check_picture(file: str | Path) -> None:
    """Raise UsageError or OutputError where a figure cannot be saved as `file`."""
    place = Path(file)
    if place.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise UsageError(f"{file} is no name for a figure.", hint="Take one that ends in .png, .svg or .pdf.")
    if place.exists():
        raise OutputError(f"{file} is there already.", hint="Take another name, or move it away first.")
    if not place.absolute().parent.is_dir():
        raise OutputError(f"There is no folder {place.absolute().parent}.", hint="Make it first.")


def save_figure(figure: Figure, file: str | Path) -> str:
    """Write `figure` into `file`, which must not be there. Gives its name. Raises UsageError, OutputError."""
    check_picture(file)
    try:
        figure.savefig(file, dpi=144)
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written ({error.strerror or error}).", hint="Take another place."
        ) from error
    return str(file)
