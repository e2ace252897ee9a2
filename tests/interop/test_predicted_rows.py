"""Predictions as functions of all coefficients, against those of the models themselves."""

from __future__ import annotations

import numpy as np
import pytest

import interlace as il
from interlace.interop.predicted_rows import predicted_rows

SLEEP = il.load_dataset("sleepstudy")
WINE = il.load_dataset("wine")
SALAMANDERS = il.load_dataset("Salamanders")
ZEROS = {"family": "nbinom2", "ziformula": "~ mined"}

#: A model, and types of its predictions.
MODELS = {
    "linear": (lambda: il.fit("Reaction ~ poly(Days, 2) + (Days | Subject)", SLEEP), ("response",)),
    "series": (lambda: il.fit("Reaction ~ Days + ar1(0 + Days | Subject)", SLEEP), ("response",)),
    "zeros": (
        lambda: il.glmer("count ~ cover + (1 | site)", SALAMANDERS, **ZEROS),
        ("response", "link", "conditional", "zprob"),
    ),
    "plain": (lambda: il.glm("count ~ cover", SALAMANDERS, "poisson"), ("response", "link")),
    "ordered": (
        lambda: il.clmm("rating ~ temp + (1 | judge)", WINE, nominal="~ contact"),
        ("prob", "cum.prob", "mean.class", "link"),
    ),
    "scaled": (
        lambda: il.clm("rating ~ temp", WINE, scale="~ contact", threshold="symmetric"),
        ("prob", "link"),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_at_the_estimates_they_are_the_predictions_of_the_model(name):
    fitted, types = MODELS[name]
    m = fitted()
    mixed = bool(m.fit.T)
    for type in types:
        for include in (False, True) if mixed else (False,):
            rows = predicted_rows(m, type, include, None, None)
            found = rows.predictions(rows.coef, rows.matrix(rows.frame))
            own = m.predict(rows.frame, type=type, **({"include_re": include} if mixed else {}))
            np.testing.assert_allclose(found, np.asarray(own), rtol=1e-9, err_msg=type)
        assert len(rows.names) == rows.coef.size == len(rows.cov)


def test_coefficients_move_them():
    """Slopes in the coefficients and their covariance give the standard errors of predictions."""
    m = il.clm("rating ~ temp", WINE, scale="~ contact", threshold="equidistant")
    rows = predicted_rows(m, "prob", False, None, None)
    matrix, h = rows.matrix(rows.frame.iloc[:9]), 1e-6
    moves = h * np.eye(rows.coef.size)
    J = np.array(
        [
            (rows.predictions(rows.coef + e, matrix) - rows.predictions(rows.coef - e, matrix))
            / (2.0 * h)
            for e in moves
        ]
    )
    errors = np.sqrt(np.einsum("krc,kl,lrc->rc", J, rows.cov, J))
    own = m.predict(rows.frame.iloc[:9], se=True)["se"]
    np.testing.assert_allclose(errors, own, rtol=1e-7)
