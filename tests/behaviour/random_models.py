"""One seed, one model: formula, data and arguments of a call, and the same model in arrays.

Nothing is left out because the package finds it hard. What a call must refuse is refused by the
package, and `checks.py` asks whether it was right to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dense
import numpy as np
import pandas as pd

LINKS = {
    "binomial": ("logit", "logit", "logit", "probit", "cloglog", "cauchit"),
    "poisson": ("log", "log", "log", "sqrt", "identity"),
    "negativebinomial": ("log", "log", "sqrt"),
    "gamma": ("log", "log", "inverse", "identity"),
    "inverse_gaussian": ("log",),
    "gaussian": ("log", "identity"),
}
DISPERSED = ("negativebinomial", "gamma", "inverse_gaussian", "gaussian")
SCALE_FREE = ("logit", "probit", "cloglog", "cauchit", "log")
# A mean predictor well inside the range of links that have one, and how far effects may go there.
CENTRES = {"sqrt": 2.0, "identity": 5.0, "inverse": 0.7}
EXPECTED = ("binomial", "poisson")


@dataclass
class Model:
    """A call of the package: ``call()`` makes it; ``problem()`` is the same in arrays."""

    seed: int
    kind: str
    formula: str
    data: pd.DataFrame
    family: str | None = None
    link: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def call(self, **more: Any):
        """The fit."""
        import interlace as il

        arguments = {**self.arguments, **more}
        data = arguments.pop("data", self.data)
        formula = arguments.pop("formula", self.formula)
        if self.family is None:
            return il.fit(formula, data, **arguments)
        return il.glmer(formula, data, self.family, link=self.link, **arguments)

    @property
    def text(self) -> str:
        """What to type for it."""
        arguments = "".join(f", {k}={v!r}" for k, v in self.arguments.items())
        if self.family is None:
            return f"il.fit({self.formula!r}, d{arguments})"
        return f"il.glmer({self.formula!r}, d, {self.family!r}, link={self.link!r}{arguments})"

    @property
    def reproduce(self) -> str:
        """Lines that make the fit again."""
        return (
            f"from random_models import draw; m = draw({self.seed}); d = m.data  # {self.kind}, "
            f"{len(self.data)} rows; {', '.join(self.notes)}\n    {self.text}"
        )

    def columns(self) -> list[str]:
        """Columns of the data that the call uses."""
        from re import findall

        names = set(findall(r"[A-Za-z_]\w*", self.formula))
        names |= {v for k, v in self.arguments.items() if k in ("weights", "offset")}
        return [c for c in self.data if c in names]

    def problem(self, fit) -> dense.Problem:
        """The model in arrays, with the columns that the fit says it has."""
        used = self.data[self.columns()]
        data = self.data[used.notna().all(axis=1).to_numpy()]
        n, design = len(data), fit.design
        ones = np.ones(n)
        response = self.formula.partition("~")[0].strip()
        trials, prior = ones, ones
        if "weights" in self.arguments:
            prior = data[self.arguments["weights"]].to_numpy(float)
        if response.startswith("cbind"):
            k, f = data["y"].to_numpy(float), data["fail"].to_numpy(float)
            trials, y = k + f, k / (k + f)
        else:
            y = data[response].to_numpy(float)
        if self.family == "binomial" and "weights" in self.arguments:
            if np.isin(y, (0, 1)).all() and (prior != np.round(prior)).any():
                pass
            elif not response.startswith("cbind"):
                trials, prior = prior, ones
        offset = np.zeros(n)
        if "offset" in self.arguments:
            offset = data[self.arguments["offset"]].to_numpy(float)
        X = np.column_stack([column(data, name) for name in design.x_names] or [np.ones((n, 0))])
        terms = []
        for term in design.terms:
            group = design.factors[term.factor].name
            parts = data[group.split(":")].astype(str).agg("\0".join, axis=1)
            codes = pd.factorize(parts)[0]
            Z = np.column_stack([column(data, name) for name in term.names])
            terms.append(dense.Term(codes, Z, term.structure, group))
        expected = self.arguments.get("laplace")
        return dense.Problem(
            y=y, X=X.reshape(n, -1), terms=terms, offset=offset, prior=prior, trials=trials,
            family=self.family, link=self.link or "identity",
            nAGQ=self.arguments.get("nAGQ", 1),
            expected=self.family in EXPECTED if expected is None else expected == "expected",
            reml=self.family is None and self.arguments.get("method", "REML") == "REML",
            n_zeta=int(self.family in DISPERSED),
            extended=self.family is None and self.kind.startswith("aimed") and n <= 200,
        )  # fmt: skip


def column(data: pd.DataFrame, name: str) -> np.ndarray:
    """The column of a name such as ``Intercept``, ``x``, ``f[T.b]:x`` or ``I(x ** 2)``."""
    out = np.ones(len(data))
    if name in ("Intercept", "1"):
        return out
    for part in name.split(":"):
        if part.startswith("I("):
            out = out * data["x"].to_numpy(float) ** 2
        elif "[" in part:
            variable, _, level = part[:-1].partition("[")
            out = out * (data[variable].astype(str) == level.removeprefix("T.")).to_numpy(float)
        else:
            out = out * data[part].to_numpy(float)
    return out


def draw(seed: int) -> Model:
    """The model of a seed: ordinary ones, and one in five of those aimed at verdicts."""
    if seed % 5 == 4:
        import adversaries

        return adversaries.draw(seed)
    return ordinary(seed)


def pick(rng: np.random.Generator, *choices):
    return choices[int(rng.integers(len(choices)))]


def ordinary(seed: int) -> Model:
    """A model of a random shape."""
    rng = np.random.default_rng([7, seed])
    n = int(np.exp(rng.uniform(np.log(30), np.log(pick(rng, 200, 400, 1500)))))
    notes: list[str] = []
    data = covariates(rng, n)
    shape = grouping(rng, data, notes)
    fixed = fixed_part(rng, data, notes)
    family = pick(rng, None, None, None, *LINKS, "binomial", "poisson")
    link = None if family is None else pick(rng, *LINKS[family])
    random = " + ".join(random_terms(rng, data, shape, family, link))
    arguments: dict[str, Any] = {}
    if rng.random() < 0.25:
        data["off"] = 0.3 * rng.normal(size=n) * spread(link)
        arguments["offset"] = "off"
    prior = np.ones(n)
    if rng.random() < 0.2:
        prior = pick(rng, rng.uniform(0.2, 3.0, n), rng.integers(1, 5, n).astype(float))
        data["w"] = prior
        arguments["weights"] = "w"
    response = respond(rng, data, shape, family, link, prior, arguments, notes)
    if family is None:
        arguments["method"] = pick(rng, "REML", "ML")
    else:
        if pick(rng, 0, 0, 0, 1):
            arguments["laplace"] = pick(rng, "expected", "observed")
        nodes = pick(rng, 1, 1, 1, 1, 0, 5)
        if nodes != 1 and (nodes == 0 or (len(shape) == 1 and effects(random) <= 2)):
            arguments["nAGQ"] = nodes
    missing(rng, data, notes)
    return Model(
        seed, f"ordinary {family or 'linear'} {link or ''}", f"{response} ~ {fixed} + {random}",
        data, family, link, arguments, notes,
    )  # fmt: skip


def effects(random: str) -> int:
    """Effects per level of the terms of one factor, if covariates are numbers."""
    return sum(4 if "f" in t.split("|")[0] else 2 if "x" in t else 1 for t in random.split(") +"))


def spread(link: str | None) -> float:
    """A standard deviation of effects that keeps means in their range."""
    return 1.0 if link is None or link in SCALE_FREE else 0.04 * CENTRES[link]


def covariates(rng: np.random.Generator, n: int) -> pd.DataFrame:
    x, z = rng.normal(size=n), rng.uniform(-1.0, 1.0, n)
    f = np.array(["a", "b", "c"])[rng.choice(3, n, p=[0.6, 0.3, 0.1])]
    f[:3] = ["a", "b", "c"]
    return pd.DataFrame({"x": x, "z": z, "f": f})


def grouping(rng: np.random.Generator, data: pd.DataFrame, notes: list[str]) -> list[str]:
    """Columns of grouping factors; their names."""
    n = len(data)
    shape = pick(rng, "one", "one", "nested", "crossed", "crossed", "three")
    notes.append(shape)

    def codes(levels: int) -> np.ndarray:
        if rng.random() < 0.4:
            p = rng.dirichlet(np.full(levels, 0.7))  # unbalanced, with levels of one row
            out = rng.choice(levels, n, p=p)
            out[: min(levels, n)] = np.arange(min(levels, n))
            return out
        return rng.permutation(np.arange(n) % levels)

    most = max(3, min(n // 3, 60))
    g = codes(int(rng.integers(3, most + 1)))
    data["g"] = [f"g{c}" for c in g]
    if shape == "one":
        return ["g"]
    if shape == "nested":
        parent = g % int(rng.integers(2, max(3, g.max() // 2 + 1)))
        data["h"] = [f"h{c}" for c in parent]
        return ["g", "h"]
    data["h"] = [f"h{c}" for c in codes(int(rng.integers(3, min(most, 20) + 1)))]
    if shape == "crossed":
        return ["g", "h"]
    data["k"] = [f"k{c}" for c in codes(int(rng.integers(3, 7)))]
    return ["g", "h", "k"]


def fixed_part(rng: np.random.Generator, data: pd.DataFrame, notes: list[str]) -> str:
    """The fixed part; covariates may be moved, scaled, doubled, nearly collinear, or by group."""
    n = len(data)
    parts = [pick(rng, "1", "1", "x", "x", "x + z", "x + f", "x * f", "x + z + f", "0 + f + x")]
    parts[0] = parts[0] if rng.random() < 0.95 else "0 + x"
    odd = pick(rng, "", "", "", "moved", "scaled", "twice", "near", "by group", "square")
    notes.append(odd or "plain X")
    if odd == "moved":
        data["x"] = data["x"] + pick(rng, 30.0, 1000.0)
    elif odd == "scaled":
        data["x"] = data["x"] * pick(rng, 1e-4, 1e4)
    elif odd == "twice":
        data["x2"] = data["x"]
        parts += ["x", "x2"]
    elif odd == "near":
        data["x2"] = data["x"] + 10.0 ** -rng.uniform(2, 6) * rng.normal(size=n)
        parts += ["x", "x2"]
    elif odd == "by group":
        _, codes = np.unique(data["g"], return_inverse=True)
        data["m"] = rng.normal(size=codes.max() + 1)[codes]
        parts += ["m"]
    elif odd == "square":
        parts += ["x", "I(x**2)"]
    return " + ".join(parts)


def random_terms(rng: np.random.Generator, data, shape: list[str], family, link) -> list[str]:
    """Terms for each grouping factor."""
    out = []
    slopes = link is None or link in SCALE_FREE
    for i, name in enumerate(shape):
        simple = rng.random() < (0.5 if i == 0 else 0.75) or not slopes
        few = ["(1 | {})"]
        many = [
            "(x | {})", "(x | {})", "(0 + x | {})", "(x || {})", "(1 | {}) + (0 + x | {})",
            "(f | {})", "(0 + f | {})", "(x + z | {})", "(x + z || {})", "(1 | {}) + (0 + z | {})",
            "(z | {})",
        ]  # fmt: skip
        out.append(pick(rng, *(few if simple else many)).replace("{}", name))
    if shape[-1:] == ["h"] and rng.random() < 0.15:
        out[-1] = "(1 | h:f)"
    return out


def respond(rng, data, shape, family, link, prior, arguments, notes) -> str:
    """Draw the response; its left-hand side."""
    n = len(data)
    unit, centre = spread(link), CENTRES.get(link or "", 0.0)
    if link == "log":
        centre = pick(rng, 0.5, 0.5, -3.0, 3.0) if family != "binomial" else 0.5
    x = (data["x"] - data["x"].mean()) / data["x"].std()
    eta = centre + unit * 0.5 * (x + data["z"]) * pick(rng, 0.0, 1.0)
    if "offset" in arguments:
        eta = eta + data["off"]
    for name in shape:
        _, codes = np.unique(data[name], return_inverse=True)
        sd = unit * pick(rng, 0.0, 0.0, 0.5, 1.0, 2.0)
        slope = unit * pick(rng, 0.0, 0.0, 0.5)
        b = rng.normal(size=(codes.max() + 1, 2)) * [sd, slope]
        if rng.random() < 0.15:
            b[:, 1] = b[:, 0]  # correlation of one
        eta = eta + b[codes, 0] + (b[codes, 1] * x if link in SCALE_FREE or not link else 0.0)
    eta = np.asarray(eta)
    if family is None:
        sigma = pick(rng, 1.0, 1.0, 0.1, 10.0, 1000.0)
        data["y"] = pick(rng, 0.0, 100.0) + sigma * (eta + rng.normal(size=n) / np.sqrt(prior))
        return "y"
    if family == "binomial":
        kind = pick(rng, "binary", "binary", "trials", "rare")
        notes.append(kind)
        if kind == "rare":
            eta = eta - 3.0
        mu = {"logit": lambda e: 1 / (1 + np.exp(-e)), "probit": lambda e: _phi(e),
              "cloglog": lambda e: -np.expm1(-np.exp(np.minimum(e, 3))),
              "cauchit": lambda e: 0.5 + np.arctan(e) / np.pi}[link](eta)  # fmt: skip
        if kind == "trials":
            trials = rng.integers(1, 12, n)
            data["y"] = rng.binomial(trials, mu)
            data["fail"] = trials - data["y"]
            return "cbind(y, fail)"
        data["y"] = rng.binomial(1, mu)
        return "y"
    lift = np.clip(eta, -6, 6) if link == "log" else np.maximum(eta, 0.1 * centre)
    mu = {"log": np.exp, "identity": lambda e: e, "sqrt": np.square, "inverse": np.reciprocal}[
        link
    ](lift)
    mu = np.asarray(mu)
    if family == "poisson":
        data["y"] = rng.poisson(mu)
    elif family == "negativebinomial":
        theta = pick(rng, 0.5, 2.0, 2.0, 20.0)
        data["y"] = rng.poisson(mu * rng.gamma(theta, 1.0 / theta, n))
    elif family == "gamma":
        shape_ = pick(rng, 0.7, 3.0, 30.0)
        data["y"] = np.maximum(rng.gamma(shape_, mu / shape_), 1e-8)
    elif family == "inverse_gaussian":
        data["y"] = np.maximum(rng.wald(mu, mu * pick(rng, 0.5, 3.0, 20.0)), 1e-8)
    else:
        data["y"] = mu + rng.normal(size=n) * pick(rng, 0.3, 1.0) * min(1.0, np.median(mu))
    return "y"


def _phi(e):
    from scipy.special import ndtr

    return ndtr(e)


def missing(rng: np.random.Generator, data: pd.DataFrame, notes: list[str]) -> None:
    """Some values are missing."""
    if rng.random() < 0.2:
        notes.append("missing")
        for name in ("x", pick(rng, "g", "y", "f")):
            rows = rng.choice(len(data), max(1, len(data) // 40), replace=False)
            data[name] = data[name].astype(object if name in "gf" else float)
            data.loc[rows, name] = None if name in "gf" else np.nan
