"""F tests of terms against lmerTest (at lme4's tight optimum)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ArgumentError
from interlace.formula.tokens import split_outside

# lmerTest prints five digits of F and DenDF.
PRINTED = 1e-4


def check(table: pd.DataFrame, expected: dict[str, tuple[int, float, float]]) -> None:
    assert list(table.index) == list(expected)
    assert table["NumDF"].tolist() == [row[0] for row in expected.values()]
    for column, i in (("DenDF", 1), ("F value", 2)):
        values = [row[i] for row in expected.values()]
        np.testing.assert_allclose(table[column], values, rtol=PRINTED, err_msg=column)


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("I", {"age": (1, 25, 99.4451), "Sex": (1, 25, 9.2921), "age:Sex": (1, 25, 5.1186)}),
        ("II", {"age": (1, 25, 99.4451), "Sex": (1, 25, 0.418336), "age:Sex": (1, 25, 5.1186)}),
        ("III", {"age": (1, 25, 87.9987), "Sex": (1, 25, 0.418336), "age:Sex": (1, 25, 5.1186)}),
    ],
)
def test_factor_and_covariate(fit_cache, type, expected) -> None:
    m = fit_cache("Orthodont", "distance ~ age * Sex + (age | Subject)")
    check(m.anova(type=type), expected)


def test_balanced_factors(fit_cache) -> None:
    m = fit_cache("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)")
    expected = {
        "recipe": (2, 42, 0.24879),
        "temperature": (5, 210, 20.51986),
        "recipe:temperature": (10, 210, 1.00620),
    }
    for type in (1, 2, 3, "III"):
        check(m.anova(type=type), expected)


@pytest.fixture(scope="module")
def carrots() -> pd.DataFrame:
    data = interlace.load_dataset("carrots").dropna()
    return data[data.index % 7 != 0]


@pytest.mark.parametrize(
    ("type", "F", "df"),
    [
        (
            "I",
            [31.8342, 8.2546, 0.358383, 0.681435, 0.660416, 1.0339, 0.830035],
            [85.729, 90.152, 90.086, 86.171, 87.538, 89.924, 87.627],
        ),
        (
            "II",
            [31.9389, 5.7834, 0.342334, 1.3110, 0.666277, 1.0040, 0.830035],
            [85.695, 90.254, 90.099, 86.409, 87.511, 89.940, 87.627],
        ),
        (
            "III",
            [20.5468, 2.0322, 0.944923, 0.928654, 0.850684, 1.0040, 0.830035],
            [88.460, 89.880, 89.940, 88.460, 87.627, 89.940, 87.627],
        ),
    ],
)
def test_unbalanced_three_way_with_a_covariate(carrots, type, F, df) -> None:
    m = interlace.fit("Preference ~ sens2 * Homesize * C(Age) + (1 + sens2 | Consumer)", carrots)
    table = m.anova(type=type)
    np.testing.assert_allclose(table["F value"], F, rtol=PRINTED)
    np.testing.assert_allclose(table["DenDF"], df, rtol=PRINTED)
    assert table["NumDF"].tolist() == [1, 1, 3, 1, 3, 3, 3]


def test_type_three_does_not_depend_on_contrasts(carrots) -> None:
    formula = "Preference ~ sens2 * Homesize + (1 | Consumer)"
    first = interlace.fit(formula, carrots).anova()
    for contrast in ("sum", "helmert"):
        again = interlace.fit(formula, carrots, contrasts={"Homesize": contrast}).anova()
        np.testing.assert_allclose(again.to_numpy(), first.to_numpy(), rtol=1e-6)


def test_missing_cells() -> None:
    ham = interlace.load_dataset("ham").rename(columns={"Informed.liking": "liking"})
    cell = (ham["Product"] == "1") & (ham["Information"] == "1")
    with pytest.warns(interlace.errors.DataWarning):
        m = interlace.fit(
            "liking ~ Product * Information + (1 | Consumer) + (1 | Product:Consumer)", ham[~cell]
        )
    interaction = {"Information": (1, 243.78, 3.6322), "Product:Information": (2, 243.78, 3.3622)}
    for type, product in {
        "I": (3, 231.09, 4.1649),
        "II": (3, 237.01, 4.0363),
        "III": (3, 233.92, 4.0363),
    }.items():
        check(m.anova(type=type), {"Product": product, **interaction})


def test_sums_of_squares(fit_cache) -> None:
    table = fit_cache("Machines", "score ~ Machine + (1 | Worker/Machine)").anova()
    m = fit_cache("Machines", "score ~ Machine + (1 | Worker/Machine)")
    np.testing.assert_allclose(table["Mean Sq"], table["F value"] * m.scale, rtol=1e-12)
    np.testing.assert_allclose(table["Sum Sq"], table["Mean Sq"] * table["NumDF"], rtol=1e-12)
    assert table["Pr(>F)"].iloc[0] == pytest.approx(0.000286, abs=5e-7)


def test_a_model_without_terms_has_an_empty_table(fit_cache) -> None:
    assert len(fit_cache("Dyestuff", "Yield ~ 1 + (1 | Batch)").anova()) == 0


def test_unknown_types(fit_cache) -> None:
    m = fit_cache("Dyestuff", "Yield ~ 1 + (1 | Batch)")
    for type in ("IV", 4, 2.0):
        with pytest.raises(ArgumentError, match="'I', 'II', 'III'"):
            m.anova(type=type)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ["a"]),
        ("a:b", ["a", "b"]),
        ("a[T.x:y]:b", ["a[T.x:y]", "b"]),
        ("C(a, levels=['u:v'])[T.u:v]:f(x[1:2])", ["C(a, levels=['u:v'])[T.u:v]", "f(x[1:2])"]),
        ("`a:b`:c", ["`a:b`", "c"]),
    ],
)
def test_interactions_are_split(name, parts) -> None:
    assert split_outside(name, ":") == parts


def test_factors_and_covariates_are_told_apart(carrots) -> None:
    m = interlace.fit(
        "Preference ~ poly(sens2, 2) * Homesize + C(Age):sens1 + (1 | Consumer)", carrots
    )
    found = {c.name: c for c in m.fit.design.mean.terms.codings(m.fit.design.X)}
    assert found["Homesize"].factors == ("Homesize",)
    assert found["poly(sens2, 2)"].factors == ()
    assert found["poly(sens2, 2)"].values.shape[1] == 2
    both = found["C(Age):sens1"]
    assert (both.factors, both.n_levels) == (("C(Age)",), (4,))
    np.testing.assert_allclose(both.values[:, 0], carrots["sens1"], rtol=1e-12)
    codes = pd.Series(both.codes[0])
    assert (codes.groupby(carrots["Age"].to_numpy()).nunique() == 1).all()


@pytest.mark.filterwarnings("ignore:the fixed-effects matrix is rank deficient")
@pytest.mark.parametrize("right", ["poly(sens1, 2) * {}", "first + {}", "{} * Homesize"])
def test_type_three_is_the_same_whatever_contrasts_code_a_factor(carrots, right) -> None:
    # Degrees of freedom too; also where a column is dropped, as one that depends on `first` is.
    text = f"Preference ~ {right} + (1 | Consumer)"
    data = carrots.iloc[:400].assign(f=carrots["Age"], first=(carrots["Age"] == "1") * 1.0)
    expected, *others = [
        interlace.fit(text.format(coding), data).anova()
        for coding in ("f", "C(f, 'sum')", "C(f, 'helmert')", "C(f, contr.treatment(base='3'))")
    ]
    for found in others:
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_type_three_does_not_depend_on_units() -> None:
    data = interlace.load_dataset("sleepstudy")
    rng = np.random.default_rng(1)
    data["far"] = 3e11 * rng.normal(size=len(data))
    data["z"] = rng.normal(size=len(data)) + data["Days"] / 3
    m = interlace.fit("Reaction ~ Days + z + far + (1 | Subject)", data)
    np.testing.assert_allclose(m.anova()["F value"], m.tvalues.iloc[1:] ** 2, rtol=1e-9)
