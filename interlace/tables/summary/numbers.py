"""Numbers as R prints them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# R's summaries show this many significant digits.
DIGITS = 4
SMALLEST_P = 2.2e-16
# R prints p-values below this one in scientific form.
SMALL_P = 1e-3
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
LEGEND = "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"


def _shape(value: float, digits: int) -> tuple[int, int]:
    """Significant digits needed (trailing zeros dropped) and decimal exponent."""
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    return len(mantissa.rstrip("0").replace(".", "")), int(exponent)


def format_numbers(values: Sequence[float], digits: int = DIGITS) -> list[str]:
    """Numbers in one common format, as R's ``format(x, digits)``.

    Each shows at least ``digits`` significant digits, as far as it has them.

    Examples
    --------
    >>> from interlace.tables.summary.numbers import format_numbers
    >>> format_numbers([612.10016, 35.071714])
    ['612.10', ' 35.07']
    """
    finite = [v for v in values if np.isfinite(v)]
    others = ["" if np.isnan(v) else f"{v:g}" for v in values]
    if not finite:
        return others
    shapes = [_shape(v, digits) for v in finite if v != 0.0] or [(1, 0)]
    decimals = max(0, *(s - 1 - e for s, e in shapes))
    most = max(s for s, _ in shapes)
    fixed_width = max(max(e for _, e in shapes) + 1, 1) + (decimals + 1 if decimals else 0)
    form = f".{decimals}f" if fixed_width <= most + (most > 1) + 4 else f".{most - 1}e"
    width = max(len(f"{v:{form}}") for v in finite)
    shown = (f"{v:{form}}" if np.isfinite(v) else other for v, other in zip(values, others))
    return [text.rjust(width) for text in shown]


def format_pvalues(p: np.ndarray, digits: int = DIGITS - 1) -> list[str]:
    """p-values as R's ``format.pval``: ``< 2e-16``, small ones in scientific form."""
    p = np.asarray(p, dtype=float)
    out = np.where(np.isnan(p), "", "< 2e-16").astype(object)
    plain, small = p >= SMALL_P, (p >= SMALLEST_P) & (p < SMALL_P)
    out[plain] = format_numbers(p[plain].tolist(), digits)
    decimals = max((_shape(v, digits)[0] for v in p[small]), default=1) - 1
    out[small] = [f"{v:.{decimals}e}" for v in p[small]]
    return out.tolist()


def stars(p: float) -> str:
    """R's significance codes."""
    return next((mark for limit, mark in STARS if p <= limit), "")
