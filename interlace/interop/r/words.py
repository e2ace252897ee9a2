"""Functions of fitted models in R -> methods of results here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...other_names import SAME
from ...r_language.nodes import (
    Argument,
    Binary,
    Bracket,
    Call,
    Construct,
    Name,
    Node,
    Number,
    Text,
    Unary,
    function_name,
    text_of,
)
from .code import FALSE, TRUE, Context, Untranslated, arguments_of, identifier, python_of, quote
from .families import family_of
from .fits import FITS
from .formulas import formula_text, one_sided, sides
from .nlme import correlation_text, variance_text

__all__ = ["EXAMPLES", "Words", "component", "kind_of"]

#: Calls in R whose translations are the table of the documents, by what they ask for.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "Estimates": (
        "summary(m)", 'summary(m, ddf = "Kenward-Roger")', "fixef(m)", "fixef(m)$zi", "coef(m)",
        "coef(summary(m))", "summary(m)$coefficients", "ranef(m)", "ranef(m)$g",
        "ranef(m, condVar = TRUE)", "VarCorr(m)", "VarCorr(m)$g", "vcov(m)", "sigma(m)",
        'getME(m, "theta")', 'getME(m, "X")', "ngrps(m)", "formula(m)", "isSingular(m)", "rePCA(m)",
        "exp(fixef(m))",
    ),
    "Criteria": (
        "logLik(m)", "AIC(m)", "BIC(m)", "AIC(m1, m2)", "deviance(m)", "REMLcrit(m)", "nobs(m)",
        "df.residual(m)",
    ),
    "Tests": (
        "anova(m)", 'anova(m, ddf = "Kenward-Roger")', 'anova(m, type = "II")', "anova(m1, m2)",
        "anova(m1, m2, refit = FALSE)", "Anova(m)", 'drop1(m, test = "Chisq")', "ranova(m)",
        "step(m)", "get_model(step(m))", "PBmodcomp(m1, m0, nsim = 500)",
        'linearHypothesis(m, "a = b")',
        "contest(m, L)", "allFit(m)", "lrtest(m1, m0)",
    ),
    "Intervals": (
        "confint(m)", 'confint(m, "beta_")', 'confint(m, method = "Wald")',
        'confint(m, method = "boot", nsim = 500)', "confint(m, oldNames = FALSE)", "intervals(m)",
        "profile(m)", "bootMer(m, fixef, nsim = 200)", "bootMer(m, function(m) fixef(m)[2], 200)",
    ),
    "Marginal means": (
        'emmeans(m, "f")', "emmeans(m, ~ f | g)", "emmeans(m, pairwise ~ f)",
        'emmeans(m, "f", type = "response")', "emmeans(m, ~ f, at = list(x = c(1, 2)))",
        'pairs(emmeans(m, "f"))', 'contrast(emmeans(m, "f"), "trt.vs.ctrl", adjust = "holm")',
        'emtrends(m, "f", var = "x")', "joint_tests(m)", 'cld(emmeans(m, "f"))', "ls_means(m)",
    ),
    "Predictions and residuals": (
        "fitted(m)", "resid(m)", 'residuals(m, type = "pearson")', "predict(m)", "predict(m, new)",
        "predict(m, newdata = new, re.form = NA)", "predict(m, new, re.form = ~ (1 | g))",
        'predict(m, new, type = "response")', "predict(m, new, allow.new.levels = TRUE)",
        "predict(m, new, level = 0)", "predict(m, new, se.fit = TRUE)",
        "simulate(m, nsim = 10, seed = 1)", "hatvalues(m)", "cooks.distance(m)",
        'influence(m, "g")', "rstudent(m)", "dfbetas(m)", "simulateResiduals(m)",
        "testDispersion(m)", "ACF(m)", 'ACF(m, maxLag = 10, resType = "normalized")',
    ),
    "Models again": (
        "update(m, . ~ . - x)", "update(m, REML = FALSE)", "update(m, data = d2)", "refit(m, y2)",
    ),
    "Of other packages": (
        "tidy(m)", 'tidy(m, effects = "fixed", conf.int = TRUE)', "glance(m)", "augment(m)",
        "r2_nakagawa(m)", "icc(m)", "check_overdispersion(m)", "vif(m)",
    ),
    "Pictures": ("plot(m)", "plot(ACF(m))", "qqnorm(m)", "dotplot(ranef(m))", "qqmath(ranef(m))"),
}  # fmt: skip

#: Functions of a model alone: what stands after the model. Others are in the table of other names.
PLAIN = {
    "formula": ".formula", "rePCA": ".rePCA()", "sigma": ".sigma",
    "deviance": ".deviance", "nobs": ".nobs", "hatvalues": ".hatvalues()",
    "cooks.distance": ".cooks_distance()", "rstudent": ".rstudent()", "dfbeta": ".dfbeta()",
    "dfbetas": ".dfbetas()", "ranova": ".ranova()", "profile": ".profile()",
    "glance": ".glance()", "augment": ".augment()", "vif": ".vif()",
    "icc": ".icc()", "intervals": '.confint(method="Wald")',
    "joint_tests": ".joint_tests()", "cld": ".cld()",
    **dict.fromkeys(("r2_nakagawa", "r2", "r.squaredGLMM"), ".r2()"),
    "family_params": ".family_params", "VarCorr": ".VarCorr()",
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """The functions, for the models of a script.

    Attributes
    ----------
    models : mapping of str to str
        Kinds of models by R's names.
    frames : collection of str
        R's names of data frames.
    """

    models: Mapping[str, str]
    frames: frozenset[str] | set[str]

    def calls(self) -> dict[str, Callable[[Call, Context], str | None]]:
        """Each function that is known, by its name in R."""
        names = {*PLAIN, *_HANDLERS, *(name for name in SAME if _method_of(name))}
        names |= {name.replace("_", ".") for name in names if "_" in name}
        return dict.fromkeys(names, self.code)

    def code(self, call: Call, context: Context) -> str | None:
        """The code of a call; None where its first argument is no model but data."""
        name = function_name(call)
        first = call.arguments[0].value if call.arguments else None
        if isinstance(first, Name) and first.text in self.frames and name not in ("data",):
            return {"summary": f"{identifier(first.text)}.describe()"}.get(name)
        if name in _HANDLERS:
            return _HANDLERS[name](call, context, self.models)
        if len(call.arguments) != 1:
            raise Untranslated(f"{name}() with these arguments has no translation")
        model = python_of(first, context)
        if name in PLAIN:
            return model + PLAIN[name]
        if isinstance(first, Call) and not kind_of(first, self.models):
            raise Untranslated(f"{name}() of something else than a fit has no translation")
        method = _method_of(name)
        return None if method is None else model + method


def _method_of(name: str) -> str | None:
    """What stands after the model by the table of other names, where that is one expression."""
    found = re.fullmatch(r"m(\.[\w.]+(?:\([^()]*\))?)", SAME.get(name.replace(".", "_"), ""))
    return found[1] if found else None


def kind_of(node: Node | None, models: Mapping[str, str]) -> str:
    """The function of R that made a model; empty if that is not known."""
    if isinstance(node, Bracket):
        return kind_of(node.inner, models)
    if isinstance(node, Name):
        return models.get(node.text, "")
    name = function_name(node)
    if name in FITS:
        return name
    if name in ("update", "refit", "get_model", "step") and isinstance(node, Call):
        return kind_of(node.arguments[0].value, models) if node.arguments else ""
    return ""


# -- parts of what functions return ---------------------------------------------------------------

#: Components of glmmTMB's estimates.
_OF_COMPONENT = {
    "fixef": {"cond": ".fe_params", "zi": ".zi_params", "disp": ".disp_params"},
    "ranef": {"cond": ".ranef()", "zi": '.random_effects_of("zi")'},
    "VarCorr": {"cond": ".VarCorr()", "zi": ".VarCorr()"},
    "vcov": {"cond": ".vcov()", "zi": '.vcov(component="zi")', "disp": '.vcov(component="disp")'},
}


def component(node: Binary, context: Context) -> str | None:
    """Code of ``fixef(m)$zi``, ``VarCorr(m)$g``, ``summary(m)$coefficients``; None for others."""
    call, name = node.left, text_of(node.right)
    function = function_name(call)
    if function in ("emmeans", "emtrends") and name in ("emmeans", "emtrends", "contrasts"):
        code = python_of(call, context)
        return code if name == "contrasts" else code.partition(".contrast(")[0]
    if not isinstance(call, Call) or len(call.arguments) != 1:
        return None
    model = python_of(call.arguments[0].value, context)
    if name in _OF_COMPONENT.get(function, {}):
        return model + _OF_COMPONENT[function][name]
    if function == "VarCorr":
        return f"{model}.variance_components[{quote(name)}]"
    if function == "summary":
        if name == "coefficients":
            return f"{model}.tidy()"
        raise Untranslated(f"{name} of a summary has no translation")
    return None


# -- functions with arguments ---------------------------------------------------------------------

Handler = Callable[[Call, Context, Mapping[str, str]], str]


def _model(own: Mapping[str, Node], context: Context, name: str = "object") -> str:
    if name not in own:
        raise Untranslated("there is no model among the arguments")
    return python_of(own[name], context)


def _called(head: str, pieces: Mapping[str, str | None], *first: str) -> str:
    named = [f"{name}={code}" for name, code in pieces.items() if code is not None]
    return f"{head}({', '.join([*first, *named])})"


def _is(node: Node | None, *texts: str) -> bool:
    return node is not None and text_of(node) in texts


def _optional(own: Mapping[str, Node], name: str, context: Context) -> str | None:
    return python_of(own[name], context) if name in own else None


def _summary(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "ddf", "correlation", "corr")
    model = _model(own, context)
    hidden = "False" if _is(own.get("correlation", own.get("corr")), *FALSE) else None
    return _called(
        f"{model}.summary", {"ddf": _optional(own, "ddf", context), "correlation": hidden}
    )


def _coef(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object")
    inner = own["object"] if "object" in own else None
    if function_name(inner) == "summary" and isinstance(inner, Call) and inner.arguments:
        return f"{python_of(inner.arguments[0].value, context)}.tidy()"
    kind = kind_of(inner, models)
    mixed = kind in ("lmer", "glmer", "glmer.nb", "glmmTMB", "lme", "")
    return _model(own, context) + (".coef()" if mixed else ".params")


def _ranef(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "condVar", "postVar", "drop", "whichel")
    spread = "True" if _is(own.get("condVar", own.get("postVar")), *TRUE) else None
    code = _called(f"{_model(own, context)}.ranef", {"cond_sd": spread})
    return code + (f"[{python_of(own['whichel'], context)}]" if "whichel" in own else "")


def _vcov(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "full", "correlation")
    full = "True" if _is(own.get("full"), *TRUE) else None
    return _called(f"{_model(own, context)}.vcov", {"full": full})


def _get_me(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "name")
    asked = own.get("name")
    name = asked.value if isinstance(asked, Text) else ""
    known = {"theta": ".theta", "beta": ".fe_params", "X": ".fit.design.X", "y": ".fit.design.y",
             "fixef": ".fe_params", "sigma": ".sigma", "devcomp": ".convergence",
             "REML": ".method"}  # fmt: skip
    if name not in known:
        raise Untranslated(f"getME(m, {name!r}) has no translation")
    return _model(own, context) + known[name]


def _criteria(call: Call, context: Context, models: Mapping[str, str]) -> str:
    attribute = {"AIC": "aic", "BIC": "bic", "logLik": "llf"}[function_name(call)]
    values = [
        f"{python_of(a.value, context)}.{attribute}"
        for a in call.arguments
        if a.name is None or a.name == "object"
    ]
    if len(values) != len(call.arguments):
        raise Untranslated(f"{text_of(call)!r} has no translation")
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"


def _anova(call: Call, context: Context, models: Mapping[str, str]) -> str:
    fits = [a for a in call.arguments if a.name in (None, "object")]
    own = {a.name: a.value for a in call.arguments if a.name not in (None, "object")}
    if {*own} - {"ddf", "type", "test", "refit", "model.names"}:
        raise Untranslated(f"{text_of(call)!r} has no translation")
    codes = [python_of(a.value, context) for a in fits]
    if len(codes) > 1:
        refit = python_of(own["refit"], context) if "refit" in own else None
        kinds = {kind_of(a.value, models) for a in fits}
        if kinds & {"lme", "gls"}:
            refit = "False"
        return _called("il.anova", {"refit": refit}, *codes)
    named: dict[str, str | None] = {
        n: python_of(own[n], context) for n in ("ddf", "type") if n in own
    }
    return _called(f"{codes[0]}.anova", named)


def _car_anova(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "mod", "type", "test.statistic", "test")
    kind = python_of(own["type"], context) if "type" in own else "2"
    test = own.get("test.statistic", own.get("test"))
    return _called(
        "il.Anova",
        {"type": kind, "test": python_of(test, context) if test else None},
        _model(own, context, "mod"),
    )


def _drop1(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "scope", "scale", "test", "ddf")
    if {*own} & {"scope", "scale"}:
        raise Untranslated("scope= and scale= of drop1() have no translation")
    test = None if _is(own.get("test"), '"Chisq"', '"none"') else _optional(own, "test", context)
    return _called(f"{_model(own, context)}.drop1", {"test": test})


def _step(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "trace", "direction", "ddf", "reduce.random", "alpha.random")
    by_aic = kind_of(own.get("object"), models) in ("lm", "glm", "clm", "polr")
    by_aic = by_aic or function_name(call) == "stepAIC"
    random = "False" if _is(own.get("reduce.random"), *FALSE) else None
    return _called(
        f"{_model(own, context)}.step",
        {"criterion": '"AIC"' if by_aic else None, "reduce_random": random},
    )


def _get_model(call: Call, context: Context, models: Mapping[str, str]) -> str:
    return f"{_model(arguments_of(call, 'object'), context)}.model"


def _confint(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "parm", "level", "method", "nsim", "oldNames", "boot.type",
                       "quiet", "type")  # fmt: skip
    method = own.get("method")
    usual = kind_of(own.get("object"), models) in ("lm", "glmmTMB", "clmm", "gls")
    words = {"parm": _optional(own, "parm", context), "level": _optional(own, "level", context),
             "method": python_of(method, context) if method else '"Wald"' if usual else None,
             "nsim": _optional(own, "nsim", context),
             "boot_type": _optional(own, "boot.type", context),
             "r_names": "False" if _is(own.get("oldNames"), *FALSE) else None}  # fmt: skip
    if words["method"] == '"profile"':
        words["method"] = None
    first = [str(words.pop("parm"))] if words["parm"] is not None else []
    return _called(f"{_model(own, context)}.confint", {**words, "parm": None}, *first)


def _residuals(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "type", "scaled", "level")
    model = _model(own, context)
    if not own.keys() - {"object"}:
        return f"{model}.resid"
    if "level" in own:
        raise Untranslated("level= of residuals() has no translation; m.predict(include_re=False)")
    scaled = "True" if _is(own.get("scaled"), *TRUE) else None
    kind = own.get("type")
    first = [python_of(kind, context)] if kind is not None else []
    return _called(f"{model}.residuals", {"scaled": scaled}, *first)


def _predict(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "newdata", "re.form", "REform", "type", "se.fit", "level",
                       "allow.new.levels", "random.only", "interval", "na.action")  # fmt: skip
    kind = kind_of(own.get("object"), models)
    if {*own} & {"random.only", "interval"}:
        raise Untranslated(
            "interval= and random.only= of predict() have no translation; "
            "m.get_prediction(new, interval='prediction') has intervals"
        )
    generalised = kind in ("glmer", "glmer.nb", "glmmTMB", "glm", "glm.nb")
    scale = _optional(own, "type", context) or ('"link"' if generalised else None)
    pieces = {
        "type": None if scale == '"response"' else scale,
        "include_re": _effects(own.get("re.form", own.get("REform")), own.get("level")),
        "new_levels": '"population"' if _is(own.get("allow.new.levels"), *TRUE) else None,
        "se": "True" if _is(own.get("se.fit"), *TRUE) else None,
    }
    first = [python_of(own["newdata"], context)] if "newdata" in own else []
    return _called(f"{_model(own, context)}.predict", pieces, *first)


def _effects(form: Node | None, level: Node | None) -> str | None:
    """``include_re=`` for R's ``re.form`` or nlme's ``level``."""
    if _is(form, "NA", "~ 0", "~0") or _is(level, "0"):
        return "False"
    if form is None or _is(form, "NULL"):
        if level is not None:
            raise Untranslated("level= other than 0 has no translation; include_re= takes terms")
        return None
    if isinstance(form, Unary):
        return quote(text_of(form.operand))
    raise Untranslated(f"re.form = {text_of(form)} has no translation")


def _simulate(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "nsim", "seed", "use.u", "re.form")
    kept = "True" if _is(own.get("use.u"), *TRUE) or _is(own.get("re.form"), "NULL") else None
    first = [python_of(own["nsim"], context)] if "nsim" in own else []
    return _called(
        f"{_model(own, context)}.simulate",
        {"seed": _optional(own, "seed", context), "use_u": kept},
        *first,
    )


def _update(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own: dict[str, Node | None] = dict.fromkeys(("object", "formula"))
    changes: dict[str, str | None] = {}
    for a in call.arguments:
        key = a.name or next((k for k, v in own.items() if v is None), None)
        if key is None or a.value is None:
            raise Untranslated(f"{text_of(call)!r} has no translation")
        if key in ("object", "formula", "formula."):
            own[key.rstrip(".")] = a.value
        elif key in ("data", "REML", "ziformula", "dispformula", "method", "subset", "nAGQ"):
            tilde = one_sided(a.value)
            changes[key] = (
                quote(formula_text(a.value))
                if tilde or key == "subset"
                else python_of(a.value, context.inside(None))
            )
        elif key in ("family", "correlation", "weights"):
            changes |= _changed(key, a.value, kind_of(own["object"], models))
        elif key != "control":
            raise Untranslated(f"{key}= of update() has no translation")
    if own["object"] is None:
        raise Untranslated("update() has no model")
    formula, first = own["formula"], []
    if isinstance(formula, Name):
        first = [identifier(formula.text)]
    elif formula is not None:
        first = [quote(formula_text(formula))]
    return _called(f"{python_of(own['object'], context)}.update", changes, *first)


def _changed(key: str, value: Node, kind: str) -> dict[str, str | None]:
    """What ``update(m, family =, correlation =, weights =)`` changes."""
    if key == "family":
        return {key: family_of(value).code}
    if kind not in ("lme", "gls"):
        raise Untranslated(f"{key}= of update() has no translation")
    notes: list[str] = []
    if key == "correlation":
        text = correlation_text(value, notes)
        return {key: "None" if text is None else quote(text)}
    text = variance_text(value, notes)
    return {"variance": "None" if text is None else quote(text)}


def _boot_mer(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "x", "FUN", "nsim", "seed", "use.u", "type", "parallel", "ncpus",
                       "verbose", ".progress")  # fmt: skip
    return _called(
        "il.bootMer",
        {"seed": _optional(own, "seed", context)},
        _model(own, context, "x"),
        _statistic(own.get("FUN"), context),
        _optional(own, "nsim", context) or "1",
    )


def _statistic(node: Node | None, context: Context) -> str:
    """A function of a fit: a name of R's, or ``function(m) …`` of one expression."""
    if isinstance(node, Name):
        return f"lambda m: {python_of(Call(node, (Argument(None, Name('m')),)), context)}"
    if isinstance(node, Construct) and node.word == "function" and len(node.arguments) == 1:
        own = node.arguments[0]
        name = own.name or text_of(own.value)
        body = node.parts[0]
        if not isinstance(body, Construct):
            return f"lambda {identifier(name)}: {python_of(body, context)}"
    raise Untranslated(f"the function {text_of(node)!r} has no translation")


def _emmeans(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "specs", "by", "var", "at", "type", "adjust", "lmer.df",
                       "level", "weights", "mode", "contr")  # fmt: skip
    function = "emtrends" if function_name(call) in ("emtrends", "lstrends") else "emmeans"
    specs, contrasts = own.get("specs"), None
    if isinstance(specs, Unary | Binary) and specs.operator == "~":
        left, right = sides(specs)
        contrasts = None if left is None else quote(text_of(left))
        code = quote(
            text_of(right).replace(" * ", " + ") if "*" in text_of(right) else text_of(right)
        )
    else:
        code = python_of(specs, context) if specs is not None else ""
    pieces = {name: _optional(own, name, context) for name in ("by", "at", "level", "weights")}
    if "type" in own and function == "emmeans":
        pieces["type"] = python_of(own["type"], context)
    if "lmer.df" in own and not _is(own["lmer.df"], '"asymptotic"'):
        pieces["ddf"] = python_of(own["lmer.df"], context)
    first = [code] + ([python_of(own["var"], context)] if "var" in own else [])
    out = _called(f"{_model(own, context)}.{function}", pieces, *first)
    if contrasts is None:
        return out
    return _called(f"{out}.contrast", {"adjust": _optional(own, "adjust", context)}, contrasts)


def _contrast(call: Call, context: Context, models: Mapping[str, str]) -> str:
    name = function_name(call)
    own = arguments_of(call, "object", *(() if name == "pairs" else ("method",)), "adjust", "by",
                       "reverse", "ref", "simple")  # fmt: skip
    pieces = {n: _optional(own, n, context) for n in ("adjust", "by", "simple")}
    pieces["reverse"] = "True" if _is(own.get("reverse"), *TRUE) else None
    if "ref" in own:
        position = own["ref"]
        if not isinstance(position, Number):
            raise Untranslated(f"ref = {text_of(position)} has no translation")
        pieces["ref"] = str(int(position.value) - 1)
    first = [python_of(own["method"], context)] if "method" in own else []
    return _called(f"{_model(own, context)}.{name}", pieces, *first)


def _influence(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "model", "groups", "group", "obs")
    group = own.get("groups", own.get("group"))
    return _called("il.influence", {}, _model(own, context, "model"),
                   *([python_of(group, context)] if group is not None else []))  # fmt: skip


def _two_models(function: str, *more: str) -> Handler:
    def handler(call: Call, context: Context, models: Mapping[str, str]) -> str:
        own = arguments_of(call, "large", "small", *more)
        if {"large", "small"} - {*own}:
            raise Untranslated(f"{text_of(call)!r} has no two models")
        pieces = {n: _optional(own, n, context) for n in ("nsim", "seed")}
        return _called(function, pieces, *(_model(own, context, n) for n in ("large", "small")))

    return handler


def _tidy(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "x", "effects", "conf.int", "conf.level", "exponentiate",
                       "conf.method")  # fmt: skip
    pieces = {
        n.replace(".", "_"): _optional(own, n, context)
        for n in ("conf.int", "conf.level", "exponentiate")
    }
    first = [python_of(own["effects"], context)] if "effects" in own else []
    return _called(f"{_model(own, context, 'x')}.tidy", pieces, *first)


def _hypothesis(call: Call, context: Context, models: Mapping[str, str]) -> str:
    name = function_name(call)
    own = arguments_of(call, "model", "L")
    text = python_of(own["L"], context) if "L" in own else ""
    if name == "linearHypothesis":
        return f"{_model(own, context, 'model')}.wald_test({text})"
    return f"il.{name}({_model(own, context, 'model')}, {text})"


def _plot(call: Call, context: Context, models: Mapping[str, str]) -> str:
    inner = call.arguments[0].value if call.arguments else None
    if model := _against_fitted(call):
        return f"{python_of(model, context)}.plot.residuals()"
    if len(call.arguments) != 1 or function_name(inner) in ("simulateResiduals", "profile"):
        raise Untranslated(f"{text_of(call)!r} has no translation")
    if isinstance(inner, Call) and function_name(inner) == "ACF":
        return _autocorrelation(inner, context, models, ".plot")
    if function_name(inner) == "ranef":
        return _of_effects(Call(Name("dotplot"), call.arguments), context, models)
    if isinstance(inner, Name) and not kind_of(inner, models) and models:
        raise Untranslated(f"{inner.text} is no fit; pictures of other things have no translation")
    return f"{python_of(inner, context)}.plot.residuals()"


def _against_fitted(call: Call) -> Node | None:
    """The model of ``plot(fitted(m), resid(m))`` and ``plot(resid(m) ~ fitted(m))``."""
    pair = [a.value for a in call.arguments if a.name is None]
    if len(pair) == 1 and isinstance(pair[0], Binary) and pair[0].operator == "~":
        pair = [pair[0].right, pair[0].left]
    if len(pair) != 2 or function_name(pair[0]) not in ("fitted", "predict"):
        return None
    first, second = _plain_model(pair[0]), _residuals_of(pair[1])
    same = first is not None and second is not None and text_of(first) == text_of(second)
    return first if same else None


def _plain_model(node: Node | None) -> Node | None:
    """The one argument of a call."""
    return node.arguments[0].value if isinstance(node, Call) and len(node.arguments) == 1 else None


def _residuals_of(node: Node | None) -> Node | None:
    """The model whose residuals a call of R asks for."""
    return _plain_model(node) if function_name(node) in ("resid", "residuals") else None


def _qq(call: Call, context: Context, models: Mapping[str, str]) -> str:
    """``qqnorm(m)`` and ``qqnorm(resid(m))``."""
    inner = _plain_model(call)
    model = _residuals_of(inner) or inner
    if not isinstance(model, Name) or (models and not kind_of(model, models)):
        raise Untranslated(f"{text_of(call)!r} has no translation")
    return f"{python_of(model, context)}.plot.qq()"


def _autocorrelation(call: Call, context: Context, models: Mapping[str, str], of: str = "") -> str:
    own = arguments_of(call, "object", "maxLag", "resType")
    kind = _optional(own, "resType", context) or quote("pearson")  # nlme's default
    pieces = {"max_lag": _optional(own, "maxLag", context), "type": kind}
    return _called(f"{_model(own, context)}{of}.autocorrelation", pieces)


def _simulated(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "fittedModel", "n", "seed", "plot")
    first = [python_of(own["n"], context)] if "n" in own else []
    model = _model(own, context, "fittedModel")
    return _called(
        f"{model}.simulated_residuals", {"seed": _optional(own, "seed", context)}, *first
    )


def _of_effects(call: Call, context: Context, models: Mapping[str, str]) -> str:
    """Pictures of ``ranef(m)``."""
    inner = call.arguments[0].value if call.arguments else None
    if function_name(inner) != "ranef" or not isinstance(inner, Call) or not inner.arguments:
        raise Untranslated(f"{text_of(call)!r} has no translation")
    picture = "caterpillar" if function_name(call) == "dotplot" else "random_effects_qq"
    return f"{python_of(inner.arguments[0].value, context)}.plot.{picture}()"


def _refit(call: Call, context: Context, models: Mapping[str, str]) -> str:
    own = arguments_of(call, "object", "newresp")
    return f"{_model(own, context)}.refit({python_of(own.get('newresp'), context)})"


def _check(picture: str) -> Handler:
    def handler(call: Call, context: Context, models: Mapping[str, str]) -> str:
        inner = call.arguments[0].value if call.arguments else None
        code = python_of(inner, context)
        known = function_name(inner) == "simulateResiduals" or not kind_of(inner, models)
        simulated = known and not (isinstance(inner, Name) and inner.text == "m")
        return f"{code}{'' if simulated else '.simulated_residuals()'}.{picture}()"

    return handler


def _print(call: Call, context: Context, models: Mapping[str, str]) -> str:
    return f"print({python_of(call.arguments[0].value if call.arguments else None, context)})"


_HANDLERS: dict[str, Handler] = {
    "summary": _summary, "coef": _coef, "ranef": _ranef, "vcov": _vcov, "getME": _get_me,
    **dict.fromkeys(("AIC", "BIC", "logLik"), _criteria), "anova": _anova, "Anova": _car_anova,
    "drop1": _drop1, "step": _step, "stepAIC": _step, "get_model": _get_model,
    "confint": _confint, **dict.fromkeys(("residuals", "resid"), _residuals),
    "predict": _predict, "simulate": _simulate, "update": _update, "bootMer": _boot_mer,
    **dict.fromkeys(("emmeans", "lsmeans", "emtrends", "lstrends"), _emmeans),
    **dict.fromkeys(("contrast", "pairs"), _contrast), "influence": _influence,
    "PBmodcomp": _two_models("il.pb_modcomp", "nsim", "seed"), "lrtest": _two_models("il.LRT"),
    "tidy": _tidy, **dict.fromkeys(("linearHypothesis", "contest", "contest1D"), _hypothesis),
    **dict.fromkeys(("dotplot", "qqmath"), _of_effects), "refit": _refit,
    "ls_means": lambda call, context, models: (
        f"il.ls_means({python_of(call.arguments[0].value, context)})"),
    "testDispersion": _check("dispersion"), "testUniformity": _check("uniformity"),
    "testOutliers": _check("outliers"), "testZeroInflation": _check("zero_inflation"),
    "print": _print, "plot": _plot, "simulateResiduals": _simulated,
    "ACF": _autocorrelation, "qqnorm": _qq,
}  # fmt: skip
