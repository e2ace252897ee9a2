"""A model as the package maketables reads it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from ..inference.criteria import aic, bic
from ..inference.names import name_in


class Maketables:
    """The attributes that the regression tables of maketables ask of a model.

    A class with an attribute ``fit`` inherits them.
    """

    fit: Any

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        from ..inference.components import parts
        from ..inference.wald import add_intervals, t_table

        tables = [
            t_table(part).rename(index=partial(name_in, c)) for c, part in parts(self.fit).items()
        ]
        table = add_intervals(pd.concat(tables) if len(tables) > 1 else tables[0])
        names = {"estimate": "b", "std_error": "se", "statistic": "t", "p_value": "p"}
        names |= {"conf_low": "ci95l", "conf_high": "ci95u"}
        return table.rename(columns=names)[list(names.values())].rename_axis("Coefficient")

    def __maketables_stat__(self, key: str) -> Any:
        fit = self.fit
        if key == "groups":
            return ", ".join(f"{f.name}: {f.n_labels}" for f in fit.design.factors)
        stats = {"N": fit.n, "ll": fit.llf, "aic": aic(fit), "bic": bic(fit), "sigma": fit.sigma}
        return stats.get(key)

    @property
    def __maketables_depvar__(self) -> str:
        return self.fit.design.response_name

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return {"vcov_type": "model-based", "clustervar": None}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return {"groups": "Groups", "sigma": "Residual SD", "ll": "Log-likelihood"}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "groups", "aic"]
