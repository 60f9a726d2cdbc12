"""The page's icons, drawn here: the corners of a viewfinder around three bars."""

from __future__ import annotations

import io

GROUND, INK = "#2b5bc7", "#ffffff"  # the accent of tokens.css
_SHARP = 4  # times larger, then shrunk: Pillow draws without smooth edges
# In hundredths of the side: the bars' widths, and the corners' place, arm and stroke.
_BARS = ((36, 44), (24, 54), (14, 64))
_PLACE, _ARM, _STROKE = 24, 16, 6


def svg() -> str:
    """The icon for a browser's tab."""
    near, far = _PLACE, 100 - _PLACE
    ends = ((near, near, 1, 1), (far, near, -1, 1), (near, far, 1, -1), (far, far, -1, -1))
    lines = "".join(f"M{x} {y + v * _ARM}V{y}H{x + u * _ARM}" for x, y, u, v in ends)
    bars = "".join(f'<rect x="32" y="{y - 2}" width="{w}" height="4" rx="2"/>' for w, y in _BARS)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
        f'<rect width="100" height="100" rx="22" fill="{GROUND}"/>'
        f'<path d="{lines}" fill="none" stroke="{INK}" stroke-width="{_STROKE}" stroke-linecap="round" '
        f'stroke-linejoin="round"/><g fill="{INK}">{bars}</g></svg>\n'
    )


def png(side: int, *, rounded: bool) -> bytes:
    """A square PNG of `side` pixels; `rounded` for launchers that show it as it is, else filled to the edge."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - kept with its only use

    whole = side * _SHARP
    unit = whole / 100
    picture = Image.new("RGBA", (whole, whole), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, whole - 1, whole - 1), 22 * unit if rounded else 0, fill=GROUND)
    width = round(_STROKE * unit)
    for x, u in ((_PLACE, 1), (100 - _PLACE, -1)):
        for y, v in ((_PLACE, 1), (100 - _PLACE, -1)):
            ends = [(x * unit, (y + v * _ARM) * unit), (x * unit, y * unit), ((x + u * _ARM) * unit, y * unit)]
            draw.line(ends, fill=INK, width=width, joint="curve")
            for a, b in ends:  # round ends
                draw.ellipse((a - width / 2, b - width / 2, a + width / 2, b + width / 2), fill=INK)
    for long, y in _BARS:
        box = (32 * unit, (y - 2) * unit, (32 + long) * unit, (y + 2) * unit)
        draw.rounded_rectangle(box, 2 * unit, fill=INK)
    out = io.BytesIO()
    picture.resize((side, side), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()
