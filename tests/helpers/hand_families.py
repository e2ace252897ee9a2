"""Families as users write them: R's functions of a family, and no more."""

from __future__ import annotations

import numpy as np
from scipy import special


class HandPoisson:
    """Poisson's functions, without a density."""

    name = "poisson"

    def link(self, mu):
        return np.log(mu)

    def linkinv(self, eta):
        return np.exp(eta)

    def mu_eta(self, eta):
        return np.exp(eta)

    def variance(self, mu):
        return mu

    def dev_resids(self, y, mu, weights):
        return 2.0 * weights * (special.xlogy(y, y / mu) - (y - mu))
