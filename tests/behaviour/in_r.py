"""The same random models in lme4 and glmmTMB: ``python tests/behaviour/fuzz.py --r``."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import checks
import dense
import numpy as np
from random_models import Model, draw

SCRIPT = Path(__file__).with_name("in_r.R")
# lme4's modes are good to tolPwrss; both optimisers are asked for more than this.
LOWER = 1e-6
# Where log-likelihoods agree this well, in deviance, coefficients agree to its root in standard
# errors, twice: two points on either side.
TIGHT = 1e-5


def available() -> str:
    """Empty if R can fit the models; else what is missing."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return "Rscript is not on PATH"
    for package in ("lme4", "glmmTMB", "jsonlite"):
        command = [rscript, "-e", f"quit(status = !requireNamespace('{package}', quietly = TRUE))"]
        if subprocess.run(command, capture_output=True).returncode:
            return f"R has no package {package}"
    return ""


def engine(model: Model) -> str:
    """Which R package computes the same criterion; empty if none does."""
    nodes, laplace = model.arguments.get("nAGQ", 1), model.arguments.get("laplace")
    if model.family is None:
        return "lme4"
    canonical = (model.family, model.link) in (("binomial", "logit"), ("poisson", "log"))
    if model.family in ("binomial", "poisson"):
        if "weights" in model.arguments:
            return ""  # log-likelihoods of weighted counts are scaled otherwise
        if canonical or laplace != "observed":
            # quadrature over several effects is lme4's own rotation of the nodes
            return "lme4" if nodes in (0, 1) or "x" not in model.formula.partition("(")[2] else ""
        return "glmmTMB" if nodes == 1 and model.link != "cauchit" else ""
    if model.family == "inverse_gaussian" or nodes != 1 or laplace == "expected":
        return ""
    return "" if "weights" in model.arguments else "glmmTMB"


def compare(seeds: list[int]) -> int:
    """LMMFit in both; print what differs; how many are lower here."""
    models = {s: draw(s) for s in seeds}
    asked = {s: engine(m) for s, m in models.items()}
    with tempfile.TemporaryDirectory() as folder:
        calls = []
        for s, name in asked.items():
            if name:
                calls.append(_written(models[s], name, Path(folder)))
        (Path(folder) / "models.json").write_text(json.dumps(calls))
        subprocess.run([shutil.which("Rscript"), str(SCRIPT), folder], check=True)
        found = json.loads((Path(folder) / "found.json").read_text())
    lower, counts = 0, dict.fromkeys(("same", "higher here", "R failed", "not certain", "other"), 0)
    for there in found:
        model = models[there["seed"]]
        kind, words = _judged(model, there)
        counts[kind] = counts.get(kind, 0) + 1
        if words:
            print(f"\nseed {model.seed}: {kind}\n    {model.reproduce}\n  * {words}", flush=True)
        lower += kind in ("lower here", "other estimates")
    print(f"\n{len(found)} of {len(seeds)} models in R: {counts}")
    return lower


def _written(model: Model, name: str, folder: Path) -> dict:
    model.data.to_csv(folder / f"{model.seed}.csv", index=False, na_rep="NA")
    arguments = model.arguments
    return {
        "seed": model.seed, "engine": name, "formula": model.formula, "family": model.family,
        "link": model.link, "weights": arguments.get("weights"), "offset": arguments.get("offset"),
        "nAGQ": arguments.get("nAGQ", 1), "reml": arguments.get("method") != "ML",
    }  # fmt: skip


def _judged(model: Model, there: dict) -> tuple[str, str]:
    out = checks.attempt(model)
    if there.get("logLik") is None:
        reason = there.get("error", there.get("warnings"))
        return "R failed", f"R: {reason}; here: {out.error}" if out.error else ""
    if out.error is not None:
        return "no fit here", f"R: {there['logLik']!r} {there['warnings']}; here: {out.error}"
    fit = out.result.fit
    if out.verdict not in checks.CERTAIN:
        return "not certain", ""
    gap = fit.llf - there["logLik"]
    bar = LOWER * (1.0 + abs(fit.llf))
    problem = model.problem(fit)
    if gap < -bar:
        at_r = _dense(problem, fit, there)
        wrong = at_r is not None and at_r > fit.criterion - 2.0 * bar
        return "R's value is off" if wrong else "lower here", (
            f"log-likelihood {fit.llf!r}, R {there['logLik']!r} {there['warnings']}; dense "
            f"criterion {_dense(problem, fit, None)!r} here, {at_r!r} at "
            "R's parameters (minus twice the log-likelihood)"
        )
    if gap > bar:
        value = -2.0 * there["logLik"]
        at_r = _dense(problem, fit, there)
        if at_r is not None and abs(at_r - value) > 2 * bar and at_r < fit.criterion - 2 * bar:
            return "lower here", f"R's parameters have {at_r!r}, here {fit.criterion!r}"
        return "higher here", f"by {gap:.3g}; R says {there['warnings']}" if gap > 1e-3 else ""
    if gap < TIGHT and len(there["beta"]) == fit.p:
        with np.errstate(all="ignore"):
            distance = np.abs(fit.beta - np.array(there["beta"])) / np.sqrt(
                np.diagonal(fit.cov_beta)
            )
        worst = float(np.nanmax(distance, initial=0.0))
        if worst > 2.0 * np.sqrt(2.0 * bar) + checks.STANDARD_ERRORS:
            return "other estimates", f"coefficients by {worst:.2g} standard errors, gap {gap:.2g}"
    return "same", ""


def _dense(problem: dense.Problem, fit, there: dict | None) -> float | None:
    """The dense criterion at the fit, or at lme4's parameters."""
    theta, beta = fit.theta, fit.beta
    if there is not None:
        if "theta" not in there or len(there["beta"]) != fit.p:
            return None
        names = [n.replace("(Intercept)", "Intercept") for n in there["theta_names"]]
        values = dict(zip(names, there["theta"], strict=True))
        if len(values) != len(names) or not set(fit.covariance.theta_names) <= set(values):
            return None
        theta = np.array([values[n] for n in fit.covariance.theta_names])
        beta = np.array(there["beta"])
    zeta = np.asarray(fit.zeta) if problem.family else np.zeros(0)
    with np.errstate(all="ignore"):
        S = dense.loadings(problem, theta)
        return dense.at(problem, S, beta, zeta)
