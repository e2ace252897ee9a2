"""Fits with a series time by time against the same fits by dense templates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def assert_same_estimates(m: Any, dense: Any, **close: float) -> None:
    """Standard errors of coefficients, and modes with theirs."""
    assert m.fit.backend == "series"
    assert dense.fit.backend != "series"
    np.testing.assert_allclose(m.bse, dense.bse, **close)
    columns, all_theirs = ["value", "cond_sd"], dense.ranef(cond_sd=True)
    for name, effects in m.ranef(cond_sd=True).groupby("group"):
        theirs = all_theirs[all_theirs["group"] == name]
        np.testing.assert_allclose(effects[columns], theirs[columns], **close)


def assert_same_refit(m: Any, dense: Any, tolerance: float) -> None:
    """The log-likelihood of a response that is drawn from the model."""
    y = m.simulate(1, seed=5).iloc[:, 0]
    again = m.refit(y)
    assert again.fit.backend == "series"
    assert again.llf == pytest.approx(dense.refit(y).llf, abs=tolerance)
