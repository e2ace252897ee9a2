"""Write the table of R's words, docs/coming-from/r-vocabulary.md, from the tables of the package.

``python tools/r_vocabulary.py`` writes it anew; the tests compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from interlace import other_names
from interlace.interop.r.script import translate
from interlace.interop.r.words import EXAMPLES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coming-from" / "r-vocabulary.md"

#: Calls that fit models.
FITS = (
    "lmer(y ~ x + (x | g), d)", "lmer(y ~ x + (1 | g), d, REML = FALSE)",
    "lmer(y ~ x + (1 | g), d, weights = w, subset = x > 3, na.action = na.exclude)",
    'lmer(y ~ f + (1 | g), d, contrasts = list(f = "contr.sum"))',
    "glmer(cbind(k, n - k) ~ x + (1 | g), d, binomial)",
    "glmer(k / n ~ x + (1 | g), d, binomial(link = probit), weights = n)",
    "glmer(y ~ x + (1 | g), d, poisson, nAGQ = 9)", "glmer.nb(y ~ x + (1 | g), d)",
    "glmmTMB(y ~ x + (1 | g), d)", "glmmTMB(y ~ x + (1 | g), d, nbinom2, ziformula = ~ z)",
    "glmmTMB(y ~ x + (1 | g), d, beta_family(), dispformula = ~ z)",
    "glmmTMB(y ~ x + (1 | g), d, truncated_poisson, ziformula = ~ .)",
    "glmmTMB(y ~ x + ar1(factor(time) + 0 | g), d, REML = TRUE)",
    "glmmTMB(y ~ x + exp(numFactor(lon, lat) + 0 | g), d)", "lm(y ~ x, d)",
    "glm(y ~ x, poisson, d, offset = log(t))", "MASS::glm.nb(y ~ x, d)",
    "lme(y ~ x, d, random = ~ x | g)", 'lme(y ~ x, d, random = ~ 1 | a/b, method = "ML")',
    "lme(y ~ x, d, random = list(g = pdDiag(~ x)))",
    "lme(y ~ x, d, ~ 1 | g, correlation = corAR1(form = ~ time | g))",
    "lme(y ~ x, d, ~ 1 | g, weights = varIdent(form = ~ 1 | f))",
    "gls(y ~ x, d, correlation = corCAR1(form = ~ time | g), weights = varPower())",
    "clm(rating ~ x, data = d)", 'clm(rating ~ x, nominal = ~ z, data = d, link = "probit")',
    "clmm(rating ~ x + (1 | g), data = d, nAGQ = 7)", "MASS::polr(rating ~ x, d)",
)  # fmt: skip

HEAD = """\
# R's words, one by one

Written from the tables that `il.from_r`, `interlace translate` and the answers to other names
use: what stands here is what they write. `m` is a fit, `d` the data. What differs between the
packages is on the pages of [R](r.md), [nlme](nlme.md) and [glmmTMB](glmmtmb-and-statsmodels.md).

<input type="search" placeholder="Search, such as anova or corAR1" aria-label="Search the tables"
 style="width: 100%; padding: 0.4em" oninput="
 const text = this.value.toLowerCase();
 for (const row of document.querySelectorAll('table tbody tr'))
 row.style.display = row.textContent.toLowerCase().includes(text) ? '' : 'none'">
"""


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in cells)} |"


def python_of(r: str) -> str:
    """What an example is in a script, without the parts that all scripts have."""
    lines = translate(r).strip().split("\n")
    code = lines[-1]
    return code[6:-1] if code.startswith("print(") and code.endswith(")") else code


def rows() -> Iterator[str]:
    """The lines of all tables."""
    for title, examples in {"Fits": FITS, **EXAMPLES}.items():
        yield from (f"## {title}", "", row("R", "here"), "|---|---|")
        yield from (row(f"`{r}`", f"`{python_of(r)}`") for r in examples)
        yield ""
    yield from ("## Other names", "", "Answers to names of R, statsmodels, pymer4 and others.", "")
    yield from (row("name", "here"), "|---|---|")
    answers = {**other_names.ATTRIBUTES, **other_names.SAME, **other_names.INSTEAD,
               **other_names.FUNCTIONS, **other_names.FUNCTIONS_INSTEAD}  # fmt: skip
    answers |= {name: f"m.plot.{own}()" for name, own in other_names.PICTURES.items()}
    same: dict[str, list[str]] = {}
    for name in sorted(answers, key=str.lower):
        same.setdefault(answers[name], []).append(f"`{name}`")
    for answer, names in same.items():
        yield row(", ".join(names), answer)


def page() -> str:
    """The page as it has to be."""
    return "\n".join([HEAD, *rows(), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
