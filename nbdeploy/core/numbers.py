"""Numbers as people read them: at most three digits that matter, and a unit."""

from __future__ import annotations

import math

SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: object) -> float | None:
    """`value` as a finite float, or None. The string "nan", as JSON carries it, is None too."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        amount = float(value)  # type: ignore[arg-type]  # what float() cannot read is caught
    except (TypeError, ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) else None


def quantity(value: float) -> str:
    """At most three significant digits, no exponent letters: 0.0421, 4.2 x 10 to the minus 5, 1,234."""
    if value == 0:
        return "0"
    sign, size = (MINUS if value < 0 else ""), abs(value)
    if size < 1e-4:  # noqa: PLR2004 - below it a decimal has more zeros than digits
        mantissa, exponent = f"{size:.1e}".split("e")
        return f"{sign}{mantissa.removesuffix('.0')}{SPACE}{TIMES}{SPACE}10{superscript(int(exponent))}"
    digits = 2 if size < 1e-3 else 3  # noqa: PLR2004 - the third is noise there
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{size:,.{decimals}f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text and size < 1 else text)


def superscript(exponent: int) -> str:
    """An exponent as small raised figures."""
    return str(exponent).translate(_SUPERSCRIPT)


_Z95 = 1.959963984540054  # the 97.5 % point of the normal distribution


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = right / of, _Z95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def percent(share: float) -> str:
    """A share 0..1 with one decimal; never rounded up to 100 % or down to 0 %."""
    for decimals in (1, 2, 3):
        text = f"{100 * share:.{decimals}f}"
        if share in {0.0, 1.0} or float(text) not in {0.0, 100.0}:
            break
    return f"{text.removesuffix('.0') if share in {0.0, 1.0} else text}{SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares, in percentage points with its sign."""
    text = f"{abs(100 * difference):.1f}"
    sign = "" if text == "0.0" else "+" if difference > 0 else MINUS
    return f"{sign}{text}{SPACE}points"


def milliseconds(value: float) -> str:
    """A time in ms."""
    return f"{quantity(value)}{SPACE}ms"


def duration(seconds: float) -> str:
    """A time that a person waits: 0.8 s, 42.0 s, 2 min 29 s."""
    if seconds < 60:  # noqa: PLR2004 - from a minute on in minutes
        return f"{seconds:.1f}{SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,}{SPACE}min {rest}{SPACE}s"


def size(count: float) -> str:
    """Bytes as kB, MB or GB of 1000."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{quantity(count / scale)}{SPACE}{unit}"
    return f"{count:.0f}{SPACE}bytes"


def compared(deployed: float, original: float, *, less: str, more: str) -> str:
    """How many times `less` or `more` than the original: "1.9 times faster"."""
    if min(deployed, original) <= 0:
        return ""
    ratio = original / deployed
    word, ratio = (less, ratio) if ratio >= 1 else (more, 1 / ratio)
    shown = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"  # noqa: PLR2004 - two digits are enough
    return "about the same" if shown == "1.0" else f"{shown} times {word}"
