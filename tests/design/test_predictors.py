"""Designs with several linear predictors: one frame, shared factors, new data by predictor."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.frame_libraries import ALL_LIBRARIES

from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.design.predictor import constant_predictor
from interlace.errors import ArgumentError, ArgumentTypeError, DataError, DataWarning, FormulaError
from interlace.objective.linear.design_products import free_columns


@pytest.fixture
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 60
    return pd.DataFrame(
        {
            "y": rng.poisson(3.0, n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "t": rng.uniform(1.0, 2.0, n),
            "f": rng.choice(list("abc"), n),
            "site": rng.permutation(np.arange(n) % 12),
            "year": rng.permutation(np.arange(n) % 5),
        }
    )


def design_of(data, formula="y ~ x + (1 | site)", others=None, **arguments):
    return build(formula, data, others=others, **{"linear": False, **arguments})


def test_each_predictor_is_that_of_a_model_with_its_formula(data):
    design = design_of(
        data,
        "y ~ x * f + offset(log(t)) + (x | site)",
        {"dispersion": "~ poly(z, 2)", "zi": "~ 0 + f + offset(z) + (1 | year)"},
    )
    assert list(design.predictors) == ["mean", "dispersion", "zi"]
    for name, right in (("mean", "x * f"), ("dispersion", "poly(z, 2)"), ("zi", "0 + f")):
        alone = design_of(data, f"y ~ {right} + (1 | site)")
        predictor = design.predictors[name]
        np.testing.assert_array_equal(predictor.X, alone.X)
        assert predictor.names == alone.x_names
        assert predictor.terms.slices == alone.x_terms
    np.testing.assert_array_equal(design.offset, np.log(data.t))
    np.testing.assert_array_equal(design.predictors["zi"].offset, data.z)
    assert design.predictors["dispersion"].offset is None
    assert design.predictors["zi"].formula.text == "~ 0 + f + offset(z) + (1 | year)"
    assert design.predictors["mean"].formula is design.formula


def test_without_other_formulas_nothing_is_added(data):
    design = design_of(data)
    assert list(design.predictors) == ["mean"]
    assert design.factors[0].intercept_only
    assert design.factors[0].predictor.tolist() == [0]
    assert design.factors[0].predictor.dtype == np.int8


def test_a_constant_is_the_predictor_without_formula(data):
    made = design_of(data, others={"dispersion": None, "zi": "~ 1"})
    constant = constant_predictor(60)
    for name in ("dispersion", "zi"):
        own = made.predictors[name]
        assert own.X.shape == (60, 1) and own.X.strides == (0, 0) == constant.X.strides
        assert own.names == constant.names == ("Intercept",)
        assert own.terms.slices == constant.terms.slices == (("Intercept", slice(0, 1)),)
    assert constant.X.flags.writeable is False and (constant.X == 1.0).all()


def test_the_same_factor_in_two_predictors_is_one_with_the_columns_of_both(data):
    design = design_of(
        data,
        "y ~ x + (1 | year) + (x | site)",
        {"dispersion": "~ z", "zi": "~ 1 + (1 | site) + (1 | f) + (z || year)"},
    )
    assert [f.name for f in design.factors] == ["site", "year", "f"]
    site, year, f = design.factors
    np.testing.assert_array_equal(site.Z, np.c_[np.ones(60), data.x, np.ones(60)])
    np.testing.assert_array_equal(year.Z, np.c_[np.ones(60), data.z, np.ones(60)])
    assert f.intercept_only
    assert [factor.predictor.tolist() for factor in design.factors] == [[0, 0, 2], [0, 2, 2], [2]]
    assert [(t.predictor, t.text, t.factor, t.columns) for t in design.terms] == [
        ("mean", "(x | site)", 0, slice(0, 2)),
        ("mean", "(1 | year)", 1, slice(0, 1)),
        ("zi", "(1 | site)", 0, slice(2, 3)),
        ("zi", "(0 + z | year)", 1, slice(1, 2)),
        ("zi", "(1 | year)", 1, slice(2, 3)),
        ("zi", "(1 | f)", 2, slice(0, 1)),
    ]


def test_factors_come_by_number_of_levels_and_terms_by_predictor(data):
    design = design_of(data, "y ~ x + (1 | f)", {"dispersion": None, "zi": "~ x + (1 | site)"})
    assert [f.name for f in design.factors] == ["site", "f"]
    assert [f.predictor.tolist() for f in design.factors] == [[2], [0]]
    assert [(t.predictor, t.factor) for t in design.terms] == [("mean", 1), ("zi", 0)]
    assert CovarianceModel.of(design).theta_names == ["f.Intercept", "zi.site.Intercept"]
    new = design.on(data[["x", "site"]].head(2), predictors=["zi"])
    assert new.factors[0][0].tolist() == data.site.head(2).tolist()


def test_terms_are_labelled_with_their_predictor_and_their_own(data):
    others = {"zi": "~ 1 + (x | site) + (1 | year)"}
    design = design_of(data, "y ~ x + (1 | site) + (0 + x | site)", others)
    model = CovarianceModel.of(design)
    assert model.term_labels == ["site", "site.1", "zi.site", "zi.year"]
    assert model.theta_names == [
        "site.Intercept",
        "site.x",
        "zi.site.Intercept",
        "zi.site.x.Intercept",
        "zi.site.x",
        "zi.year.Intercept",
    ]
    assert model.effect_names(0) == ["Intercept", "x", "zi.Intercept", "zi.x"]
    assert free_columns(design, 0) == [slice(2, 4)]
    T = model.templates(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))[0]
    np.testing.assert_array_equal(T, [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 4, 5]])
    zero = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    assert model.null_directions(zero) == [
        "the variance of Intercept by zi.year is estimated as zero"
    ]


def test_rows_missing_in_any_formula_are_dropped_once_and_counted(data):
    holed = data.astype({"site": object})
    holed.loc[[1, 2], "x"] = np.nan
    holed.loc[[2, 3], "z"] = np.nan
    holed.loc[[4], "f"] = None
    others = {"dispersion": "~ z", "zi": "~ 1 + (1 | f)"}
    for library, frame_of in ALL_LIBRARIES.items():
        with pytest.warns(DataWarning, match="dropped 4 row"):
            design = design_of(frame_of(holed), others=others)
        assert design.n_missing == 4, library
        assert design.missing_by == {"x": 2, "z": 2, "f": 1}
        rows = np.setdiff1d(np.arange(60), [1, 2, 3, 4])
        np.testing.assert_array_equal(design.rows, rows)
        np.testing.assert_array_equal(design.predictors["dispersion"].X[:, 1], data.z[rows])
        assert len(design.factors[1].codes) == 56
    with pytest.raises(DataError, match="missing values in x .2., z .2., f .1."):
        design_of(holed, others=others, na_action="raise")


def test_arguments_of_the_model_are_those_of_all_formulas(data):
    def double(x):
        return 2 * x

    design = design_of(
        data,
        others={"zi": "~ f + double(x)"},
        subset=data.z > 0,
        contrasts={"f": "sum"},
        offset="t",
        context={"double": double},
    )
    zi = design.predictors["zi"]
    assert zi.names == ("Intercept", "f[S.a]", "f[S.b]", "double(x)")
    assert len(zi.X) == (data.z > 0).sum()
    np.testing.assert_array_equal(zi.X[:, 3], 2 * design.X[:, 1])
    assert zi.offset is None and design.offset is not None
    assert design.user_names["double"] is double
    assert design.variables() == ["x", "f", "site"]


def test_new_data_have_every_predictor_as_it_was_made(data):
    design = design_of(
        data,
        "y ~ scale(x) + offset(t) + (1 | site)",
        {
            "dispersion": "~ poly(z, 2)",
            "zi": "~ x:f + offset(log(t)) + (0 + f | site) + (1 | year)",
        },
        contrasts={"f": "helmert"},
    )
    rows = [40, 3, 11]
    for model in (design, pickle.loads(pickle.dumps(design))):
        for frame_of in ALL_LIBRARIES.values():
            new = model.on(frame_of(data.iloc[rows]))
            assert list(new.predictors) == ["mean", "dispersion", "zi"]
            for name, own in design.predictors.items():
                np.testing.assert_allclose(new.predictors[name].X, own.X[rows], rtol=1e-14)
            np.testing.assert_array_equal(new.offset, design.offset[rows])
            np.testing.assert_array_equal(
                new.predictors["zi"].offset, design.predictors["zi"].offset[rows]
            )
            assert new.predictors["dispersion"].offset is None
            for (codes, Z), factor in zip(new.factors, design.factors, strict=True):
                np.testing.assert_array_equal(codes, factor.codes[rows])
                np.testing.assert_array_equal(Z, factor.Z[rows])


def test_new_data_need_the_columns_of_the_predictors_asked_for(data):
    others = {"dispersion": "~ z", "zi": "~ f + (x | site) + (1 | year)"}
    design = design_of(data, others=others, offset="t")
    mean = design.on(data[["x", "site", "t"]], predictors=["mean"])
    assert list(mean.predictors) == ["mean"]
    np.testing.assert_array_equal(mean.X, design.X)
    np.testing.assert_array_equal(mean.factors[0][1], design.factors[0].Z * [1, 0, 0])
    assert (mean.factors[1][0] == -1).all() and (mean.factors[1][1] == 0).all()
    zi = design.on(data[["x", "f", "site", "year"]], predictors=("zi",))
    np.testing.assert_array_equal(zi.predictors["zi"].X, design.predictors["zi"].X)
    np.testing.assert_array_equal(zi.factors[0][1], design.factors[0].Z * [0, 1, 1])
    np.testing.assert_array_equal(zi.factors[1][0], design.factors[1].codes)
    dispersion = design.on(data[["z"]].head(2), predictors=["dispersion"])
    assert dispersion.predictors["dispersion"].X.shape == (2, 2)
    with pytest.raises(DataError, match="lacks the column.*'z'"):
        design.on(data.drop(columns="z"))
    with pytest.raises(ArgumentError, match="predictors names 'shape'.*mean, dispersion, zi"):
        design.on(data, predictors=["shape"])


def test_a_dot_is_the_right_side_of_the_mean(data):
    formula = "y ~ x * f + offset(t) + (1 | site)"
    design = design_of(data, formula, {"zi": "~ .", "dispersion": "~ . - x:f - (1 | site) + z"})
    zi, dispersion = design.predictors["zi"], design.predictors["dispersion"]
    assert zi.names == design.x_names and zi.offset is None
    assert dispersion.names == ("Intercept", "x", "f[T.b]", "f[T.c]", "z")
    assert [t.predictor for t in design.terms] == ["mean", "zi"]
    every = design_of(data[["y", "x", "site"]], "y ~ . + (1 | site)", {"zi": "~ ."})
    assert every.predictors["zi"].names == ("Intercept", "x")


def test_dependent_columns_are_dropped_by_predictor(data):
    twice = data.assign(w=2 * data.z)
    with pytest.warns(DataWarning, match="fixed-effects matrix of ziformula is rank deficient.* w"):
        design = design_of(twice, "y ~ w + (1 | site)", {"zi": "~ z + w"})
    assert design.x_names == ("Intercept", "w") and design.dropped_columns == ()
    zi = design.predictors["zi"]
    assert zi.names == ("Intercept", "z") and zi.dropped == ("w",)
    assert zi.X.flags.c_contiguous
    assert design.on(twice).predictors["zi"].X.shape == (60, 2)


@pytest.mark.parametrize(
    ("formula", "error", "words"),
    [
        ("y ~ x", FormulaError, "ziformula has a response, y.*write '~ x'"),
        ("x", FormulaError, "ziformula has no '~'; write '~ x'"),
        ("~ 0", FormulaError, "ziformula has no term.*'~ 1'"),
        ("~ -1", FormulaError, "ziformula has no term"),
        ("~ x + y", FormulaError, "ziformula has the response among its terms"),
        ("~ x + (y | site)", FormulaError, "the response y is a covariate of the random term"),
        ("~ wrong", DataError, "ziformula names 'wrong'"),
        ("~ offset(wrong)", DataError, r"offset\(\) of ziformula names 'wrong'"),
        ("~ (1 | wrong)", DataError, "names 'wrong'"),
        (1, ArgumentTypeError, "ziformula must be a string"),
    ],
)
def test_what_is_refused(formula, error, words, data):
    with pytest.raises(error, match=words):
        design_of(data, others={"zi": formula})


def test_errors_with_a_covariance_alone_are_in_linear_models(data):
    with pytest.raises(FormulaError, match=r"dispformula has no term.*correlation='ar1"):
        design_of(data, others={"dispersion": "~ 0"})


def test_no_columns_go_with_an_offset_or_random_terms(data):
    design = design_of(data, others={"dispersion": "~ 0 + offset(z)", "zi": "~ 0 + (1 | site)"})
    assert design.predictors["dispersion"].X.shape == (60, 0)
    assert design.predictors["zi"].names == ()
    assert design.on(data.head(3)).predictors["zi"].X.shape == (3, 0)


def test_random_terms_of_any_formula_make_a_mixed_model(data):
    design = design_of(data, "y ~ x", {"zi": "~ 1 + (1 | site)"}, mixed=True)
    assert design.factors[0].predictor.tolist() == [1] and design.factors[0].intercept_only
    with pytest.raises(FormulaError, match="needs a random term"):
        design_of(data, "y ~ x", {"zi": "~ x"}, mixed=True)
    with pytest.raises(FormulaError, match="no random effects"):
        design_of(data, "y ~ x", {"zi": "~ (1 | site)"}, mixed=False)


def test_equal_parts_are_made_once(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design = design_of(data, "y ~ x + (x | site)", {"zi": "~ 1 + x + (x | site)"})
    assert design.predictors["zi"].X is design.X
