"""Names of other packages: what they are here is said, and is there."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from helpers.fitted_models import CBPP, fitted

import interlace as il
from interlace import other_names
from interlace.errors import InterlaceError

SLEEP = "Reaction ~ Days + (Days | Subject)"


def texts() -> set[str]:
    """All that the tables can answer."""
    found = {*other_names.SAME.values(), *other_names.ATTRIBUTES.values()}
    found |= {*other_names.INSTEAD.values()}
    found |= {*other_names.FUNCTIONS.values(), *other_names.FUNCTIONS_INSTEAD.values()}
    found |= {text for names in other_names.OF_CLASS.values() for text in names.values()}
    for table in (other_names.KEYWORDS, *other_names.OF_FUNCTION.values(), other_names.VALUES):
        for hint in table.values():
            if callable(hint):
                found |= {hint(value) for value in (None, True, False, 0.05, "Days")}
            else:
                found.add(hint)
    return found - {""}


@pytest.mark.parametrize("text", sorted(texts()))
def test_what_is_named_exists(text, fit_cache) -> None:
    results = (fit_cache("sleepstudy", SLEEP), fitted(*CBPP))
    glm = il.glm("incidence / size ~ period", il.load_dataset("cbpp"), "binomial")
    for path in re.findall(r"\bm\.([\w.]*\w)", text):
        assert any(_has(m, path) for m in (*results, glm)), path
    for name in re.findall(r"\bil\.(\w+)", text):
        assert hasattr(il, name), name
    for of, function, inside in re.findall(r"\b(il|m)\.(\w+)\(([^()]*)\)", text):
        owners = (il,) if of == "il" else (*results, glm)
        owner = next(o for o in owners if hasattr(o, function))
        known = inspect.signature(getattr(owner, function)).parameters
        for key in re.findall(r"(\w+)=", inside):
            open_ended = any(p.kind == p.VAR_KEYWORD for p in known.values())
            assert key in known or open_ended, f"{function}({key}=)"


def _has(value: object, path: str) -> bool:
    for name in path.split("."):
        if not hasattr(value, name):
            return False
        value = getattr(value, name)
    return True


@pytest.mark.parametrize(
    "key", sorted({*other_names.ATTRIBUTES, *other_names.SAME, *other_names.INSTEAD})
)
def test_no_name_is_both_ours_and_not(key) -> None:
    assert not hasattr(il.LMMResult, key) and not hasattr(il.GLMMResult, key)
    assert not hasattr(il.GLMResult, key)
    tables = (other_names.ATTRIBUTES, other_names.SAME, other_names.INSTEAD)
    assert sum(key in table for table in tables) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fixef", "'fixef' is m.fe_params"),
        ("logLik", "m.llf"),
        ("boot", "m.bootstrap(1000)"),
        ("fixed_effects", "'fixed_effects' is m.fe_params"),
        ("cutpoints", "their attribute thresholds"),
        ("df.residual", "m.df_resid"),
        ("dispersion", "of results with a family and a link"),
        ("fe_parms", "Did you mean 'fe_params'"),
    ],
)
def test_attributes_are_answered(name, said, fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    assert not hasattr(m, name) and getattr(m, name, 3) == 3
    with pytest.raises(AttributeError) as caught:
        getattr(m, name)
    assert said in str(caught.value)


#: What people who come from there type on a result, beside what is answered by its own name.
TYPED = {
    "statsmodels": "fe_params bse_fe cov_re vcomp k_fe k_re k_vc use_t eigenvalues mle_retvals "
    "llnull pearson_chi2 bic_llf pseudo_rsquared info_criteria score_test get_hat_matrix_diag "
    "resid_anscombe t_test_pairwise profile_re remove_data n_iter condition_number ssr",
    "pymer4": "coefs fixef ranef ranef_var ranef_corr warnings post_hoc design_matrix fits grps "
    "set_factors model_obj marginal_estimates result_fit",
    "lme4": "isSingular ngrps getME vcov logLik deviance df_residual coef terms formula getData "
    "model_frame REMLcrit VarCorr npar refitML flist cnms devcomp optinfo isLMM u b Gp Lambda",
    "others": "coef_ intercept_ feature_names_in_ predict_proba score n_obs log_lik p_value "
    "std_error sigma2 tau2 odds_ratio residual_std to_csv rmse corr phi zi posterior_interval",
}


@pytest.mark.parametrize("package", TYPED)
def test_what_is_typed_elsewhere_is_there_or_answered(package, fit_cache) -> None:
    m, g = fit_cache("sleepstudy", SLEEP), fitted(*CBPP)
    for result in (m, g):
        for name in TYPED[package].split():
            if hasattr(type(result), name):
                continue
            with pytest.raises(AttributeError) as caught:
                getattr(result, name)
            # words on what serves, not the nearest spelling
            said = str(caught.value).partition(f"has no attribute {name!r}")[2]
            assert said.startswith(": ") or name == "pearson_chi2", (package, name, said)


def test_what_is_of_random_effects_is_said_of_a_glm(dataset) -> None:
    m = il.glm("incidence / size ~ period", dataset("cbpp"), "binomial")
    with pytest.raises(AttributeError, match="'ranef' is of results with random effects"):
        _ = m.ranef


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ranef", r"belongs to results, m\.ranef\(…\)"),
        ("llf", r"belongs to results, m\.llf"),
        ("fixef", r"m\.fe_params"),
        ("Lmer", r"il\.lmer"),
        ("mixedlm", r"il\.fit"),
        ("lsmeans", r"m\.emmeans\("),
        ("load_data", "Did you mean 'load_dataset'"),
    ],
)
def test_functions_are_answered(name, said) -> None:
    assert not hasattr(il, name)
    with pytest.raises(AttributeError, match=said):
        getattr(il, name)


def test_protocols_find_what_they_look_for_or_nothing(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    for name in ("_repr_png_", "_ipython_display_", "__array__", "__len__", "_nothing"):
        assert not hasattr(m, name) and not hasattr(il, name)
        with pytest.raises(AttributeError) as caught:
            getattr(m, name)
        assert str(caught.value).endswith(repr(name))
    assert copy.copy(m).llf == copy.deepcopy(m).llf == pickle.loads(pickle.dumps(m)).llf == m.llf
    assert "fe_params" in dir(m) and "fixef" not in dir(m)
    blank = il.LMMResult.__new__(il.LMMResult)
    with pytest.raises(AttributeError, match="'fit'"):
        _ = blank.fit


def test_a_property_that_fails_says_its_own_error() -> None:
    class Broken(il.LMMResult):
        @property
        def half(self) -> float:
            return self.fit.nowhere

    with pytest.raises(AttributeError, match="nowhere"):
        _ = Broken(object()).half
    assert not issubclass(AttributeError, InterlaceError)


@pytest.mark.parametrize("key", ["re_form", "se_fit", "exp", "condVar", "parm"])
def test_no_argument_of_other_functions_is_advised(key):
    with pytest.raises(il.ArgumentTypeError) as error:
        il.fit("y ~ 1 + (1 | g)", {"y": [1.0, 2.0], "g": [1, 2]}, **{key: None})
    assert f"fit() has no argument {key}=. Its arguments are formula" in str(error.value)


def _made(name: str, m: il.LMMResult) -> object:
    """An object of a class that answers, of this model."""
    if name == "Summary":
        return m.summary()
    if name == "SimulatedResiduals":
        return m.simulated_residuals(3, seed=1)
    return m.emmeans("Days").pairs() if name == "Estimates" else il.model_table(m)


@pytest.mark.parametrize("name", sorted(other_names.OF_CLASS))
def test_other_objects_answer_too(name, fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    made, table = _made(name, m), il.model_table(m)
    assert isinstance(made, other_names.Answering)
    for word, text in other_names.OF_CLASS[name].items():
        assert not hasattr(made, word)
        with pytest.raises(AttributeError, match=re.escape(f"{word!r} is {text}")):
            getattr(made, word)
        for method in re.findall(r"\bm\.simulated_residuals\(\)\.(\w+)", text):
            assert hasattr(made, method), method
        for method in re.findall(r"\bil\.model_table\(m\)\.(\w+)", text):
            assert hasattr(table, method), method
    assert not hasattr(made, "_repr_png_") and not hasattr(made, "nothing_of_this")
    assert type(copy.copy(made)) is type(pickle.loads(pickle.dumps(made))) is type(made)


@pytest.mark.parametrize("fit", [il.fit, lambda *given: il.glm(*given, "poisson")])
def test_data_before_the_formula_are_told_from_a_file(fit, dataset) -> None:
    with pytest.raises(il.ArgumentTypeError, match="is a formula: the formula comes first"):
        fit(dataset("sleepstudy"), SLEEP)
    with pytest.raises(il.ArgumentTypeError, match="is a formula"):
        fit(dataset("sleepstudy"), SLEEP + " + Days" * 50)  # longer than names of files may be
    with pytest.raises(il.InterlaceError) as caught:
        fit("Reaction ~ Days", "~/of_nobody.parquet")
    assert "is a formula" not in str(caught.value)


def test_an_expression_is_no_column_of_offsets(dataset) -> None:
    with pytest.raises(il.DataError, match=r"stands in the formula: \+ offset\(log\(Days\)\)"):
        il.lmer("Reaction ~ 1 + (1 | Subject)", dataset("sleepstudy"), offset="log(Days)")


def test_arguments_of_means_are_answered(fit_cache, dataset) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    with pytest.raises(il.ArgumentTypeError, match="no argument lmer_df=; write ddf='kr'"):
        m.emmeans("Days", lmer_df="kr")
    ratings = il.clm("rating ~ temp", dataset("wine"))
    with pytest.raises(il.ArgumentTypeError, match="mode='prob' has the probabilities"):
        ratings.emmeans("temp", type="response")
    assert set(ratings.emmeans("temp", mode="prob").to_frame().columns) >= {"response", "rating"}
    with pytest.raises(il.ArgumentTypeError, match="are z tests"):
        ratings.emmeans("temp", ddf="Kenward-Roger")
