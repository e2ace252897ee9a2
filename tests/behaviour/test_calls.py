"""Calls: no argument of a public function goes unchecked, and unknown ones are answered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, fitted

import interlace as il
from interlace import calls
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.inference.prediction import Prediction
from interlace.inference.resampling.bootstrap import Bootstrap
from interlace.linalg.factor.choose import BACKENDS
from interlace.optimize import OPTIMIZERS
from interlace.tables.model_table.table import ModelTable

SLEEP = "Reaction ~ Days + (Days | Subject)"
RESULTS = (il.LMMResult, il.GLMMResult, il.GLMResult, il.CLMMResult, il.CLMResult)

#: What no rule by annotation can judge: each is read by the function it belongs to.
READ_INSIDE = {
    "simulate.newparams",
    *("formula", "data", "newdata", "family", "link", "groups", "random"),
    *("weights", "offset", "theta0", "contrasts", "subset"),
    *("hypothesis", "include_re", "new_y", "seed", "effects", "result", "name"),
    *("dispformula", "ziformula", "shapeformula", "zoiformula", "coiformula", "component"),
    *("ddf", "keep", "matrices", "from_r.call"),
    *("specs", "by", "time", "at", "var", "model", "standardize", "vc_formula", "trials"),
    *("resid_df", "influence_df", "diag", "cutoff", "ax"),
    "parm",
    *("fit.correlation", "fit.variance", "gls.correlation", "gls.variance"),
    *("scoring", "stratify", "other"),
    *("func", "statistic", "FUN", "re_form", "within", "sizes", "params", "along"),
    *("large", "small", "power.test", "power.method"),
    *("emm", "adjust", "contrast.method", "which", "L", "rhs"),
    *("models", "below", "stars", "coef_map", "omit", "labels", "fit_statistics", "title", "notes"),
    *("path", "label", "source"),
    "df_method",  # which are allowed depends on the model
    *(f"{name}.progress" for name in ("fit", "gls", "glmer", "clmm")),
    *("id", "sire", "dam"),
    *("levels", "nominal", "clm.scale", "clmm.scale", "executor", "matrices"),
}


def public_calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in il.__all__:
        value = getattr(il, name)
        if inspect.isfunction(value):
            yield name, value
    for cls in (*RESULTS, Prediction, Bootstrap, il.CVResult, ModelTable):
        for name, value in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_"):
                yield f"{cls.__name__}.{name}", value


ALL_CALLS = dict(public_calls())


@pytest.mark.parametrize("name", ALL_CALLS)
def test_every_argument_is_checked(name) -> None:
    function = ALL_CALLS[name]
    assert hasattr(function, "__wrapped__"), f"{name} is not under calls.checked"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self" or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        ruled = calls.rule_of(parameter) is not None
        inside = {parameter.name, f"{name}.{parameter.name}"} & READ_INSIDE
        read = bool(inside) or str(parameter.annotation) == calls.LEVEL_OF_GROUPS
        assert ruled != read, f"{name}({parameter})"


def test_there_are_as_many_calls_as_one_sees() -> None:
    assert {"fit", "glmer", "LMMResult.vcov", "GLMResult.anova", "Prediction.conf_int"} <= {
        *ALL_CALLS
    }


def test_choices_are_those_there_are() -> None:
    for function in (il.fit, il.glmer):
        parameters = inspect.signature(function, eval_str=False).parameters
        for name, known in (("backend", ("auto", *BACKENDS)), ("optimizer", tuple(OPTIMIZERS))):
            annotation = eval(parameters[name].annotation, {"Literal": Literal})
            assert set(get_args(annotation)) == set(known)


# A flag, a choice or a number refuses all of these.
WRONG = {
    "text": "no",
    "one": 1,
    "half": 2.5,
    "nan": float("nan"),
    "list": [True],
    "dict": {"a": True},
    "frame": pd.DataFrame({"a": [1]}),
    "series": pd.Series([True]),
    "array": np.array([True, False]),
    "class": bool,
    "function": len,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("rule", [calls.flag, calls.level, calls.alpha, calls.texts])
def test_rules_refuse_what_is_of_another_kind(rule, wrong) -> None:
    with pytest.raises(ArgumentError, match="^argument must ") as caught:
        rule("argument", WRONG[wrong])
    assert len(str(caught.value)) < 150 and "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [w for w in WRONG if w != "one"])
def test_choices_and_whole_numbers_refuse_them_too(wrong) -> None:
    with pytest.raises(ArgumentError, match="is not known; use one of 'a', 'b', 1"):
        calls.one_of("argument", WRONG[wrong], ("a", "b", 1))
    if wrong != "half":
        with pytest.raises(ArgumentError, match="must be a number|must be finite"):
            calls.number("argument", WRONG[wrong])
    with pytest.raises(ArgumentTypeError, match="whole number"):
        calls.whole("argument", WRONG[wrong])


def test_rules_take_numpy_and_any_case() -> None:
    assert calls.flag("a", np.True_) is True
    assert calls.one_of("a", "CHISQ", ("F", "Chisq")) == "Chisq"
    assert calls.one_of("a", np.int64(3), ("III", 3)) == 3
    assert calls.one_of("a", "3", ("III", 3)) == 3
    assert calls.whole("a", np.int8(3)) == 3
    assert calls.level("a", np.float32(0.5)) == 0.5
    assert calls.texts("a", ("x", "y")) == calls.texts("a", pd.Index(["x", "y"])) == ["x", "y"]
    with pytest.raises(ArgumentTypeError, match="type=True"):
        calls.one_of("type", True, (1, 2, 3))


#: call -> what the message says
ANSWERED = {
    'm.vcov("HC1")': "correlation must be True or False, got 'HC1'.*robust and clustered",
    'm.vcov({"CRV1": "id"})': "correlation must be True or False.*robust and clustered",
    'm.ranef("Subject")': r"cond_sd must be True or False.*m.ranef\(\)\['Subject'\]",
    'm.anova(refit="no")': "refit must be True or False, got 'no'",
    'm.augment(influence="no")': "influence must be True or False",
    'm.simulate(use_u="no")': "use_u must be True or False",
    "m.conf_int(0.05)": "level=0.05 asks for 5 % intervals; level=0.95.*alpha=0.05",
    "m.conf_int(alpha=0.95)": "alpha=0.95 asks for 5 % intervals.*alpha=0.05",
    "m.conf_int(0.9, alpha=0.05)": "both given",
    "m.t_test('Days', alpha=0.1)": "no argument alpha=; write level=0.9",
    "m.tidy(conf_int=True, alpha=0.1)": "write conf_level=0.9",
    "m.get_prediction().summary_frame(level=0.9)": "write alpha=0.1",
    "m.get_prediction().summary_frame(0.95)": "asks for 5 % intervals",
    "m.tidy(None)": "effects=None is not known; use one of 'fixed'",
    "m.tidy(0.95)": "effects=0.95 is not known",
    "m.tidy([])": "effects is empty",
    "m.confint('Wald')": "names no parameter: write method='Wald'",
    "m.confint('Dyas')": "has no such parameter.*Did you mean 'Days'",
    "m.confint(method='bootstrap')": "method='bootstrap' is not known; use one of 'profile'",
    "m.confint(oldNames=False)": "r_names=False sd_",
    "m.profile(which='Days')": "write parm='Days'",
    "m.profile(alphamax=2)": "alphamax",
    "m.residuals('quantile')": "has randomised quantile residuals",
    "m.residuals('studentized')": r"Write m.residuals\('pearson', scaled=True\)",
    "m.anova(type=True)": "type=True is not known",
    "m.anova(m, names='ab')": "names must be a list of texts, got 'ab'",
    "m.predict(S, re_form=None)": "include_re= says.* True for all .*False for none",
    "m.predict(**{'re.form': None})": "include_re=",
    "m.predict(S, allow_new_levels=True)": "write new_levels='population'",
    "m.predict(S, interval='confidence')": r"m.get_prediction\(new, interval='prediction'\)",
    "m.ranef(condVar=False)": "write cond_sd=False",
    "m.anova(ddf='Kenward')": "ddf='Kenward' is not known; use one of 'satterthwaite'",
    "m.anova(df_method='residual')": "write ddf='residual'",
    "m.summary(ddf='lme4')": "ddf='lme4' is not known.*'satterthwaite', 'kenward-roger'",
    "m.t_test('Days', ddf='kr')": "df_method=",
    "m.simulate(re_form=None)": "use_u=True keeps",
    "il.fit(F, S, control=1)": "no argument control=; optimizer=",
    "il.lmer(F, S, verbose=2)": "nothing is printed",
    "il.fit(F, S, family='poisson')": r"il.glmer\(formula, data, family=…\)",
    "il.fit(F, S, cov_type='HC1')": "robust and clustered",
    "il.fit(F, S, methd='ML')": "no argument methd=. Did you mean 'method'",
    "il.glmer(F, S, 'poisson', REML=False)": "maximum likelihood",
    "il.fit(F, S, ziformula='~1')": "ziformula='~ 1' of il.glmer",
    "il.glm('Reaction ~ Days', S, 'poisson', zi='~1')": "ziformula='~ 1' of il.glmer",
    "il.fit()": "needs formula and data",
    "il.fit('y ~ x', S, 'g', None, 'ML')": "4 arguments by position .*write by name: method",
    "il.fit(F, S, formula=F)": "got formula twice",
    "m.coef(1)": "takes 0 arguments by position, got 1",
    "il.update(m, 5)": "formula must be a text such as",
    "il.update(m, S)": "got a DataFrame of shape .*give new data as data=",
    "il.update('m', '~ .')": "takes a fitted model as its first.*got 'm'",
    "il.update(m, REML=True, method='ML')": "contradict each other",
    "il.anova([m, S])": "takes fitted models, .* a list or a dict of them; got a DataFrame",
    "il.anova(m, S)": r"takes fitted models, il.anova\(m1, m2\).*got a DataFrame of shape",
    "il.anova({'a': m, 'b': m}, names=['a', 'b'])": "both name the rows: leave one out",
    "il.anova([])": "takes fitted models.*got None",
    "il.isSingular(m, tol='a')": "tol must be a number",
    "il.isSingular(m, tol=-1)": "tol must not be negative",
}


@pytest.mark.parametrize("call", ANSWERED)
def test_calls_are_answered(call, fit_cache, dataset) -> None:
    names = {"il": il, "m": fit_cache("sleepstudy", SLEEP), "S": dataset("sleepstudy"), "F": SLEEP}
    with pytest.raises(ArgumentError, match=ANSWERED[call]) as caught:
        eval(call, names)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_flags_of_numpy_are_flags(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    assert m.vcov(np.True_).equals(m.vcov(True))
    assert m.residuals("Pearson").equals(m.residuals("pearson"))
    assert m.anova(type="iii").equals(m.anova(type=3))
    assert fitted(*CBPP).wald_test("period[T.2]", test="chisq").distribution == "chi2"


def test_signatures_are_still_those_of_the_functions() -> None:
    assert list(inspect.signature(il.fit).parameters)[:4] == ["formula", "data", "groups", "random"]
    assert re.search(r"REML or", il.fit.__doc__ or "") and il.fit.__name__ == "fit"


@calls.checked
def every_kind(
    first: Any,
    /,
    second: int,
    third: Literal["a", "b"] = "a",
    *rest: Any,
    flag: bool,
    **others: Any,
) -> tuple:
    return first, second, third, rest, flag, others


def test_calls_of_all_kinds_of_arguments_are_bound_as_python_binds_them():
    assert every_kind(1, 2, flag=True) == (1, 2, "a", (), True, {})
    assert every_kind(1, second=np.int64(2), third="B", flag=np.True_) == (1, 2, "b", (), True, {})
    assert every_kind(1, 2, "A", 4, flag=False, first=6) == (1, 2, "a", (4,), False, {"first": 6})
    given = {"flag": False, "fourth": 5}
    assert every_kind(1, 2, **given)[-1] == {"fourth": 5} and list(given) == ["flag", "fourth"]


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "needs first"),
        ((1,), {"flag": True}, "needs second"),
        ((1, 2), {}, "needs flag"),
        ((1, 2), {"second": 2, "flag": True}, "got second twice"),
        ((1, 2.5), {"flag": True}, "second must be a whole number"),
        ((1, 2, "c"), {"flag": True}, "third='c' is not known"),
        ((1, 2), {"flag": 1}, "flag must be True or False"),
    ],
)
def test_calls_of_all_kinds_of_arguments_are_answered(args, kwargs, words):
    with pytest.raises(ArgumentError, match=re.escape(words)):
        every_kind(*args, **kwargs)
