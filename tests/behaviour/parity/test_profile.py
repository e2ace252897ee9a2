"""Profile likelihood limits against R (r_parity/profile.R): roots of TMB's functions, and lme4."""

import json
import warnings
from functools import cache

import numpy as np
import pytest

import interlace as il
from tests.helpers.r_references import R_PARITY, array, frame_of

CASES = sorted(path.stem for path in (R_PARITY / "references" / "profile").glob("*.json"))
# Shares of the width of an interval. R's roots are good to 1e-9 and its minima to 1e-10; lme4's
# limits are read off splines of points 0.4 apart in zeta.
ROOTS = 1e-6
SPLINES = 1e-4
# ... where profiles bend more, which R's own roots tell: the upper limit of a standard deviation.
BENT = {"pastes": 1.2e-4}
# lme4's profiles of coefficients have no weights; lmer's own fits to shifted responses give roots.
WITHOUT = {"weighted": ("(Intercept)", "x")}
FAMILIES = {"nbinom1": "nbinom1", "nbinom2": "nbinom2", "beta": "beta", "binomial": "binomial",
            "poisson": "poisson"}  # fmt: skip


@cache
def case(id):
    record = json.loads((R_PARITY / "references" / "profile" / f"{id}.json").read_text("utf-8"))
    data, formula = frame_of(record["data"]), record["formula"]
    given = {k: record[k] for k in ("ziformula", "dispformula") if k in record}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of singular fits
        if record["kind"] == "linear":
            return record, il.fit(formula, data, method="ML", weights=record.get("weights"))
        if record["kind"] == "glm":
            family = f"{record['family']}({record['link']})"
            return record, il.glm(formula, data, family=family)
        fit = il.glmer if "|" in formula else il.glm
        return record, fit(formula, data, family=FAMILIES[record["family"]], **given)


@cache
def limits(id):
    m = case(id)[1]
    return m.confint(r_names=False), m.profile(spacing=2.0).estimates


def scales(record, name):
    """glmmTMB's parameters -> ours: logarithms of standard deviations and dispersions."""
    if name == "theta":
        correlation = lambda t: t / np.sqrt(1.0 + t * t)  # noqa: E731
        return (("sd_", np.exp), ("cor_", correlation))
    if name in ("betad", "betadisp") and record["kind"] == "linear":
        return (("sigma", lambda t: np.exp(0.5 * t)),)
    if name in ("betad", "betadisp") and "dispformula" not in record:
        return (("", np.exp),)
    return (("", lambda t: t),)


def matched(record, estimates, name, value):
    """The parameter of ours that is one of R's: with the same estimate."""
    best = min(
        (abs(function(value) - own) / (1.0 + abs(own)), label, function)
        for front, function in scales(record, name)
        for label, own in estimates.items()
        if label.startswith(front)
    )
    assert best[0] < 1e-4, (name, value)
    return best[1:]


@pytest.mark.parametrize("id", [id for id in CASES if "limits" in case(id)[0]])
def test_limits_are_the_roots_that_r_finds(id):
    record = case(id)[0]
    ours, estimates = limits(id)
    r = record["limits"]
    compared = 0
    for name, value, lower, upper in zip(
        r["parameter"], r["estimate"], array(r["lower"]), array(r["upper"]), strict=True
    ):
        label, function = matched(record, estimates, name, value)
        width = np.diff(ours.loc[label])[0]
        for own, there in zip(ours.loc[label], (lower, upper), strict=True):
            if np.isfinite(there):
                assert abs(own - function(there)) <= ROOTS * width, (label, own, function(there))
                compared += 1
            else:
                assert own == 0.0 or np.isinf(own), (label, own)
    assert compared >= 2


@pytest.mark.parametrize("id", [id for id in CASES if "lme4" in case(id)[0]])
def test_limits_are_lme4s(id):
    record, m = case(id)
    r, ours = record["lme4"], m.confint()
    assert r["names"] == ours.index.tolist()
    there = np.column_stack([array(r["lower"]), array(r["upper"])])
    known = np.isfinite(there) & ~ours.index.isin(WITHOUT.get(id, ()))[:, None]
    width = np.diff(ours, axis=1)
    off = np.abs(ours.to_numpy() - there) / width
    assert off[known].max() <= BENT.get(id, SPLINES), off
