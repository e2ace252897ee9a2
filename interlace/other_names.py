"""What lme4, statsmodels and others call things, and what serves here: the one table of them.

Texts name methods of a result as ``m.…`` and functions of the package as ``il.…``; the tests hold
that each of these exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .errors import suggestion

Hint = str | Callable[[Any], str]

_MEANS = (
    "m.emmeans('f') has marginal means, .pairs() or .contrast() of it their differences, "
    "m.emtrends('f', 'x') slopes; m.get_prediction(grid, include_re=False) predicts on a grid"
)
_ROBUST = "covariances are those of the model; robust and clustered ones are not available"
_BELOW = (
    "below= says what stands below each estimate, 'std_error', 'conf_int', 'p_value' or several; "
    "with beside=True it stands beside it"
)
_SHARE = "m.r2() has the shares of variance of fixed and random effects, m.icc() that of groups"
_RESAMPLE = "m.bootstrap(1000, func).conf_int() has bootstrap intervals of a statistic"
_ZEROS = "extra zeros are ziformula='~ 1' of il.glmer(formula, data, family) and of il.glm"
_DEGREES = "summary and anova take ddf=, t_test, conf_int and wald_test df_method="
_CORRECTED = "with k = m.nparams and n = m.nobs it is m.aic + 2 * k * (k + 1) / (n - k - 1)"
_ORDINAL = (
    "il.clm(formula, data, link='logit') fits ordered categories, il.clmm with random effects"
)
_KNOWN = (
    "levels with a known covariance, of a pedigree or a phylogeny, are (1 | g, cov=A) with "
    "matrices={'A': A}"
)
_IN_PARTS = (
    "sums over the rows are all that a linear model needs, il.fit(…, compress=True), and less than "
    "another does; equal binomial rows may be summed before, cbind(k, n - k). partitions=2 shares "
    "the rows among threads, executor= among processes or machines"
)
_OWN_PARAMETERS = (
    "draws are from the estimates: m.refit_many(m.simulate(nsim, params={…})) fits draws from "
    "parameters of your own"
)
_STANDARD = "m.residuals('pearson', scaled=True) / (1 - m.hatvalues()) ** 0.5"
_RESIDUALS = {
    "quantile": "m.simulated_residuals() has randomised quantile residuals",
    **dict.fromkeys(
        ("studentized", "standardized", "studentised", "standardised"), f"Write {_STANDARD}"
    ),
}

#: Attributes and methods of results elsewhere -> what serves here.
SAME: dict[str, str] = {
    # R
    "fixef": "m.fe_params",
    "coefficients": "m.fe_params",
    "logLik": "m.llf",
    "loglik": "m.llf",
    "AIC": "m.aic",
    "BIC": "m.bic",
    "REMLcrit": "m.reml_criterion",
    "isREML": "m.method",
    "isSingular": "m.is_singular",
    "fitted": "m.fittedvalues",
    "fitted_values": "m.fittedvalues",
    "df_residual": "m.df_resid",
    "getME": "m.theta, m.fe_params, m.fit.design.X or m.fit.design.factors",
    "model_matrix": "m.fit.design.X",
    "model_frame": "m.augment()",
    "ngrps": "m.ngroups",
    "contest": "il.contest(m, L), or m.t_test(L) and m.f_test(L)",
    "contest1D": "il.contest1D(m, L)",
    "contestMD": "il.contestMD(m, L)",
    "ls_means": "il.ls_means(m)",
    "lsmeansLT": "il.ls_means(m)",
    "difflsmeans": "il.difflsmeans(m)",
    "linearHypothesis": "m.wald_test('a = b')",
    "linear_hypothesis": "m.wald_test('a = b')",
    "glht": "m.t_test({'label': 'a - b'})",
    "rstandard": _STANDARD,
    "get_influence": "m.influence()",
    "VIF": "m.vif()",
    "check_collinearity": "m.vif()",
    "check_overdispersion": "m.overdispersion()",
    "hat": "m.hatvalues()",
    "hessian": "m.vcov(), the inverse of the information on the coefficients",
    "extractAIC": "m.aic",
    "boot": "m.bootstrap(1000)",
    **dict.fromkeys(("PBmodcomp", "pbmodcomp", "bootstrap_lrt"), "il.pb_modcomp(m, smaller)"),
    **dict.fromkeys(("powerSim", "power_sim", "simr", "powerCurve"), "il.power(m, 'x')"),
    "bootstrap_ci": "m.bootstrap(1000).conf_int()",
    "fe": "m.fe_params",
    "re": "m.random_effects",
    "cooks": "m.cooks_distance()",
    "simulateResiduals": "m.simulated_residuals()",
    "testResiduals": "m.simulated_residuals().tests()",
    "testUniformity": "m.simulated_residuals().uniformity()",
    "testDispersion": "m.simulated_residuals().dispersion()",
    "testZeroInflation": "m.simulated_residuals().zero_inflation()",
    "testOutliers": "m.simulated_residuals().outliers()",
    **dict.fromkeys(("test_dispersion", "testdispersion"), "m.simulated_residuals().dispersion()"),
    **dict.fromkeys(
        ("check_zeroinflation", "test_zero_inflation"), "m.simulated_residuals().zero_inflation()"
    ),
    **dict.fromkeys(("DHARMa", "dharma", "check_residuals"), "m.simulated_residuals()"),
    "check_model": "m.plot()",
    **dict.fromkeys(("odds_ratios", "exp_coef"), "m.tidy(exponentiate=True)"),
    "heritability": "m.icc() where the animals are the only random effects",
    **dict.fromkeys(("acf", "ACF"), "m.autocorrelation()"),
    **dict.fromkeys(("check_autocorrelation", "durbin_watson"), "m.autocorrelation()"),
    "HLMresid": "m.level_residuals()",
    "LSresids": "m.level_residuals()",
    "mdffits": "m.influence('g').mdffits",
    "covratio": "m.influence('g').covratio",
    "covtrace": "m.influence('g').covtrace",
    "case_delete": "m.influence('g', exact=True)",
    "rvc": "m.influence('g', exact=True).to_frame()",
    "allFit": "m.all_fit()",
    "rand": "m.ranova()",
    "get_model": "m.step().model",
    "vcovAdj": "m.vcov(ddf='Kenward-Roger')",
    "lrtest": "il.LRT(m, smaller)",
    "lrt_test": "il.LRT(m, smaller)",
    "compare_lr_test": "il.LRT(m, smaller)",
    "Anova": "il.Anova(m); m.anova() does not depend on the coding of factors",
    "disp_formula": "m.dispersion",
    **dict.fromkeys(("fixed_effects", "beta", "betas"), "m.fe_params"),
    **dict.fromkeys(("wald_test_terms", "test_terms"), "m.anova()"),
    **dict.fromkeys(("exog_names", "param_names"), "m.params.index"),
    "endog_names": "m.formula",
    # statsmodels
    "cov_re": "m.variance_components",
    "vcomp": "m.variance_components",
    "bse_fe": "m.fe_bse",
    "model": "m.formula for the formula, m.fit.design for its matrices",
    "exog": "m.fit.design.X",
    "X": "m.fit.design.X",
    "endog": "m.fit.design.y",
    "y": "m.fit.design.y",
    "Z": "m.fit.design.factors, level codes and covariates of each grouping factor",
    "exog_re": "m.fit.design.factors",
    "data": "m.augment()",
    "mse_resid": "m.scale",
    "summary2": "m.summary()",
    "random_effects_cov": "m.random_effects_se",
    "normalized_cov_params": "m.vcov()",
    "null": "m.null_deviance",
    "resid_response": "m.residuals('response')",
    "resid_pearson": "m.residuals('pearson')",
    "resid_deviance": "m.residuals('deviance')",
    "resid_working": "m.residuals('working')",
    "mu": "m.fittedvalues",
    "k_fe": "len(m.fe_params)",
    "n_groups": "m.ngroups",
    **dict.fromkeys(
        ("save", "saveRDS", "dump"), "m.to_json('model.json'), or pickle.dump(m, file)"
    ),
    **dict.fromkeys(("load", "readRDS"), "il.from_json('model.json'), or pickle.load(file)"),
    # pyfixest, pymer4, scikit-learn
    "se": "m.bse",
    "std_errors": "m.bse",
    "pvalue": "m.pvalues",
    "p_values": "m.pvalues",
    "tstat": "m.tvalues",
    "tstats": "m.tvalues",
    "confint_": "m.conf_int()",
    "etable": "il.model_table(m)",
    "coefs": "m.tidy('fixed')",
    "coef_": "m.fe_params",
    "ranef_var": "m.VarCorr()",
    "ranef_corr": "m.VarCorr()",
    "fits": "m.fittedvalues",
    "grps": "m.ngroups",
    "logLike": "m.llf",
    "warnings": "m.convergence",
    **dict.fromkeys(("as_latex", "to_latex"), "il.model_table(m).to_latex()"),
    **dict.fromkeys(("to_markdown", "to_html", "to_docx"), "il.model_table(m), which writes it"),
    **dict.fromkeys(("modelsummary", "tab_model", "summary_col"), "il.model_table(m)"),
    "as_text": "str(m.summary())",
}

#: Attributes of results in Python, and of lme4's objects, by words that mean other things in R.
ATTRIBUTES: dict[str, str] = {
    **dict.fromkeys(
        ("log_lik", "loglikelihood", "log_likelihood", "ll", "lnL", "likelihood"), "m.llf"
    ),
    **dict.fromkeys(("bic_llf", "bic_deviance"), "m.bic"),
    **dict.fromkeys(("npar", "n_params", "num_params", "k_params"), "m.nparams"),
    **dict.fromkeys(("n_obs", "n", "N", "nobs_", "n_samples"), "m.nobs"),
    **dict.fromkeys(("dof", "degrees_of_freedom", "rdf"), "m.df_resid, and m.df those of t tests"),
    **dict.fromkeys(("b", "u", "ranef_", "blup", "blups", "BLUP", "eblup"), "m.random_effects"),
    **dict.fromkeys(("fixef_", "intercept_", "get_coef", "estimates"), "m.fe_params"),
    **dict.fromkeys(("std_error", "stderr", "get_se", "std_err"), "m.bse"),
    **dict.fromkeys(("t_stat", "z_stat", "zscore", "z_score", "statistic"), "m.tvalues"),
    **dict.fromkeys(("p_value", "pval", "pvals", "pvalue_"), "m.pvalues"),
    **dict.fromkeys(("cov", "covariance", "vcv", "cov_params_default"), "m.vcov()"),
    **dict.fromkeys(("corr", "correlation", "cor", "cov2cor"), "m.vcov(correlation=True)"),
    **dict.fromkeys(
        ("variance", "variances", "random_variance", "tau2", "Psi", "D", "G"),
        "m.variance_components",
    ),
    **dict.fromkeys(("sd", "sds", "tau", "std_dev"), "m.VarCorr(), whose column is sd_or_corr"),
    **dict.fromkeys(("sigma2", "residual_variance", "sigma_squared"), "m.scale"),
    **dict.fromkeys(("residual_std", "sigma_hat", "residual_sd"), "m.sigma"),
    **dict.fromkeys(
        ("odds_ratio", "OR", "or_", "relative_risk", "exp", "IRR", "irr"),
        "m.tidy(exponentiate=True)",
    ),
    **dict.fromkeys(("design_matrix", "design_matrix_"), "m.fit.design.X"),
    **dict.fromkeys(("terms", "model_obj"), "m.formula, and m.anova() has a row for each term"),
    **dict.fromkeys(("frame", "getData", "fortify", "as_data_frame"), "m.augment()"),
    **dict.fromkeys(
        ("flist", "factors", "groups", "group_labels", "labels_"),
        "m.random_effects, whose tables have the levels as index",
    ),
    **dict.fromkeys(("cnms", "k_re", "k_re2", "k_vc"), "m.random_effects, a column an effect"),
    **dict.fromkeys(("optinfo", "mle_retvals", "fit_history", "iteration"), "m.convergence"),
    **dict.fromkeys(("n_iter", "n_iter_", "niter", "iterations"), "m.convergence"),
    **dict.fromkeys(
        ("gradient", "grad", "jac", "score_obs", "hessv", "eigenvalues"), "m.convergence"
    ),
    **dict.fromkeys(("optimizer", "mle_settings", "estimator"), "m.fit.optimizer"),
    **dict.fromkeys(("devcomp", "cost", "objective"), "m.deviance, or m.reml_criterion"),
    **dict.fromkeys(("isREML_", "isLMM", "isGLMM", "isNLMM", "estimation_method"), "m.method"),
    **dict.fromkeys(("phi", "overdispersion_parameter", "estimate_scale"), "m.dispersion"),
    **dict.fromkeys(("zi", "zeroinfl", "zi_coef", "zero_inflation"), "m.zi_params"),
    **dict.fromkeys(("refitML", "refit_ML", "to_ml"), "m.refit_ml()"),
    **dict.fromkeys(("get_hat_matrix_diag", "hat_matrix_diag"), "m.hatvalues()"),
    **dict.fromkeys(("influential", "get_cooks"), "m.influence()"),
    **dict.fromkeys(("condition_number", "cond"), "m.vif()"),
    **dict.fromkeys(("profile_re", "profile_likelihood"), "m.profile()"),
    **dict.fromkeys(("result_anova", "test_anova"), "m.anova()"),
    **dict.fromkeys(("result_fit", "result_fit_stats"), "m.tidy() and m.glance()"),
    **dict.fromkeys(
        ("to_csv", "to_df", "to_dataframe", "to_pandas", "to_frame", "to_excel"),
        "m.tidy(), a DataFrame, which writes itself",
    ),
    **dict.fromkeys(("describe", "info", "head", "print"), "m.summary()"),
    **dict.fromkeys(("keys", "items", "columns", "index", "to_records"), "m.to_dict()"),
    **dict.fromkeys(("predict_proba", "decision_function"), "m.predict(new, type='response')"),
    **dict.fromkeys(("rmse", "mse", "mae", "score", "score_"), "m.cross_val('g')"),
    **dict.fromkeys(("ssr", "rss", "RSS", "sse"), "(m.resid ** 2).sum()"),
    **dict.fromkeys(
        ("Gp", "rePos", "pp", "resp", "Lambda", "Lambdat", "Zt", "L", "RX", "RZX"),
        "m.fit, the record of the fit, and m.fit.design, its matrices",
    ),
    **dict.fromkeys(("get_params", "set_params", "settings"), "m.update(formula, data)"),
    **dict.fromkeys(("likelihood_ratio", "log_likelihood_ratio"), "il.anova(m, smaller)"),
    **dict.fromkeys(("marginal_estimates", "marginal_means_"), "m.emmeans('f')"),
    **dict.fromkeys(("marginal_contrasts", "t_test_pairwise"), "m.emmeans('f').pairs()"),
    "plot_partial_residuals": "m.plot.effect('x', points='partial')",
    **dict.fromkeys(("plot_added_variable", "plot_ceres_residuals"), "m.plot.effect('x')"),
}

#: What pictures are called elsewhere -> the picture of ``m.plot``.
PICTURES: dict[str, str] = {
    **dict.fromkeys(("plot_residuals", "resid_vs_fitted"), "residuals"),
    **dict.fromkeys(("qqnorm", "qqplot", "qq_plot", "plot_qq"), "qq"),
    **dict.fromkeys(("spread_location", "plot_scale_location"), "scale_location"),
    **dict.fromkeys(("qqmath", "ranef_qq", "qq_ranef"), "random_effects_qq"),
    **dict.fromkeys(("dotplot", "plot_ranef"), "caterpillar"),
    **dict.fromkeys(
        ("plot_predictions", "plot_predict", "emmip", "effects", "visreg", "crPlots"), "effect"
    ),
    **dict.fromkeys(("xyplot", "spaghetti", "plot_fit"), "groups"),
    "plot_leverage": "leverage",
    **dict.fromkeys(("acf", "ACF", "plot_acf"), "autocorrelation"),
    **dict.fromkeys(("plot_cooks", "cooks_plot", "infIndexPlot", "influence_plot"), "influence"),
    **dict.fromkeys(
        ("coefplot", "iplot", "forest", "plot_params", "plot_summary", "plot_model"),
        "coefficients",
    ),
}
#: What a kind of picture is called where the word for it is that of a table.
PICTURED: dict[str, str] = {
    "resid": "residuals",
    **dict.fromkeys(("ranef", "random_effects"), "caterpillar"),
    **dict.fromkeys(("coef", "params", "fixef"), "coefficients"),
}

#: The same where nothing is quite the same: a sentence.
INSTEAD: dict[str, str] = {
    **dict.fromkeys(
        ("set_factors", "set_contrasts", "set_transforms"),
        "codings are in the formula, 'C(f, Sum)' and 'scale(x)', or are contrasts= of the call",
    ),
    "offset": "an offset is offset= of the call, and part of m.fittedvalues",
    "resid_anscombe": "residuals are m.residuals('deviance'), 'pearson', 'response' or 'working'",
    **dict.fromkeys(
        ("chi2", "info_criteria"),
        "m.overdispersion() has Pearson's chi-squared, m.aic and m.bic are the criteria",
    ),
    **dict.fromkeys(
        ("llnull", "pseudo_rsquared", "rsquared_adj", "centered_tss", "ess", "adj_rsquared"), _SHARE
    ),
    "f_pvalue": "m.anova() has F tests of the terms",
    **dict.fromkeys(
        ("posterior_interval", "posterior", "hpd", "credible_interval"),
        "m.conf_int(method='profile') and m.bootstrap().conf_int() have intervals of all",
    ),
    **dict.fromkeys(
        ("hist", "get_distribution"),
        "m.simulate(nsim) draws responses, m.plot.qq() looks at residuals",
    ),
    "remove_data": "results hold a reference to the data, no copy; m.to_json() writes no data",
    **dict.fromkeys(
        ("classes_", "categories"), "categories are the attribute levels of ordered models"
    ),
    **dict.fromkeys(
        ("feature_names_in_", "n_features_in_", "k_constant", "rank"),
        "m.fe_params.index has the names of the coefficients, m.dropped_columns what was left out",
    ),
    "conf": "m.conf_int() has intervals of the coefficients, m.confint() of all parameters",
    "score_test": "m.wald_test('x = 0') tests a hypothesis, il.anova(m, smaller) a smaller model",
    "to_corrs": "a model is mixed by its formula: (1 + x | g) has a correlation, (1 + x || g) none",
    "use_t": "m.df has the degrees of freedom of the t tests, infinite where they are z tests",
    "pp_profile": "m.profile() has the profiles: .curves(), .density() and .frame() are drawn from",
    **dict.fromkeys(
        (
            *("lsmeans", "contrasts", "contrast"),
            *("post_hoc", "pairs", "slopes", "comparisons", "predictions", "marginal_effects"),
            *("get_margeff", "avg_slopes", "avg_comparisons", "ggpredict"),
            *("marginal_means", "marginalmeans", "estimate_means", "ggeffects"),
        ),
        _MEANS,
    ),
    **dict.fromkeys(("ICC", "R2", "rsquared", "r_squared", "r2_nakagawa", "performance"), _SHARE),
    **dict.fromkeys(
        ("predictInterval", "predict_interval", "prediction_interval", "posterior_predict"),
        "m.get_prediction(new, interval='prediction').summary_frame() has obs_ci",
    ),
    **dict.fromkeys(
        ("cross_val_score", "cross_validate", "cross_val_predict", "kfold", "loo", "elpd", "waic"),
        "m.cross_val(by, scoring='log_score') predicts rows or groups left out; its elpd compares",
    ),
    **dict.fromkeys(
        ("marginal_coefs", "marginal_predict", "population_average"),
        "m.predict(new, include_re=False, marginal=True) averages over the random effects",
    ),
    "disp_method": "a dispersion is estimated by maximum likelihood, with all other parameters",
    **dict.fromkeys(
        ("cutpoints", "zeta", "cuts"),
        "thresholds of models of ordered categories are their attribute thresholds",
    ),
    "bse_re": "variances have no standard errors here: m.VarCorr() has the estimates",
    "cov_type": _ROBUST,
    "get_robustcov_results": _ROBUST,
    **dict.fromkeys(("AICc", "aicc"), _CORRECTED),
    "stepAIC": "m.step(criterion='AIC') leaves out terms while AIC falls",
    "fvalue": "m.anova() has F tests of the terms",
    "mse_total": "there is no total mean square: m.scale is the residual variance",
}

#: Names that other objects than results have elsewhere -> what serves here, by class.
OF_CLASS: dict[str, dict[str, str]] = {
    "Summary": {
        "as_text": "str(m.summary())",
        "tables": "m.summary().coefficients, and m.VarCorr() where there are random effects",
        **dict.fromkeys(("coef", "coefs", "to_frame"), "m.summary().coefficients"),
        **dict.fromkeys(("as_html", "to_html"), "il.model_table(m).to_html()"),
        **dict.fromkeys(("as_latex", "to_latex"), "il.model_table(m).to_latex()"),
        **dict.fromkeys(("as_csv", "to_csv"), "m.tidy().to_csv(path)"),
        "varcor": "m.VarCorr()",
    },
    "SimulatedResiduals": {
        **dict.fromkeys(("testResiduals", "test_residuals"), "m.simulated_residuals().tests()"),
        **dict.fromkeys(
            ("testDispersion", "test_dispersion", "testOverdispersion"),
            "m.simulated_residuals().dispersion()",
        ),
        **dict.fromkeys(
            ("testZeroInflation", "test_zero_inflation", "testZeroinflation"),
            "m.simulated_residuals().zero_inflation()",
        ),
        **dict.fromkeys(
            ("testUniformity", "test_uniformity"), "m.simulated_residuals().uniformity()"
        ),
        **dict.fromkeys(("testOutliers", "test_outliers"), "m.simulated_residuals().outliers()"),
        **dict.fromkeys(("testQuantiles", "test_quantiles"), "m.simulated_residuals().quantiles()"),
        **dict.fromkeys(
            ("testTemporalAutocorrelation", "temporal_autocorrelation", "durbin_watson"),
            "m.simulated_residuals().temporal(time)",
        ),
        **dict.fromkeys(
            ("testSpatialAutocorrelation", "spatial_autocorrelation", "moran"),
            "m.simulated_residuals().spatial(x, y)",
        ),
        "testGeneric": "m.simulated_residuals().test(statistic)",
        **dict.fromkeys(
            ("scaledResiduals", "scaled_residuals", "residuals", "resid"),
            "m.simulated_residuals().scaled",
        ),
        "recalculateResiduals": "m.simulated_residuals().by_group(by)",
    },
    "Estimates": {
        **dict.fromkeys(("frame", "table", "summary", "summary_frame"), ".to_frame() of it"),
        **dict.fromkeys(("eff_size", "cohens_d"), "m.emmeans('f').pairs(), divided by an SD"),
    },
    "ModelTable": {
        **dict.fromkeys(("to_word", "as_word"), "il.model_table(m).to_docx(path)"),
        **dict.fromkeys(("as_latex", "render_latex"), "il.model_table(m).to_latex()"),
        **dict.fromkeys(("as_html", "render"), "il.model_table(m).to_html()"),
        **dict.fromkeys(("as_text", "to_string", "to_text"), "str(il.model_table(m))"),
        **dict.fromkeys(
            ("to_csv", "to_excel"), "il.model_table(m).to_frame(), a DataFrame, which writes it"
        ),
        **dict.fromkeys(
            ("save", "write"),
            "il.model_table(m).to_docx(path), or to_html(path), to_latex(path=…)",
        ),
    },
}

#: Functions and classes of other packages -> what serves here.
FUNCTIONS: dict[str, str] = {
    "Lmer": "il.lmer(formula, data), il.glmer(formula, data, family)",
    "Lm": "il.glm(formula, data)",
    "lm": "il.glm(formula, data)",
    "ols": "il.glm(formula, data)",
    "OLS": "il.glm(formula, data)",
    "OLSResult": "il.GLMResult",
    "StudentTResult": "il.GLMMResult, of il.glmer(formula, data, family='t')",
    "crossed_structures": "m.fit.design.factors, codes and Z of each grouping factor, with the "
    "covariances of m.variance_components",
    "lme": "il.fit('y ~ x + (1 | g)', data)",
    "mixedlm": "il.fit('y ~ x + (1 | g)', data), or il.fit('y ~ x', data, groups='g')",
    "MixedLM": "il.fit('y ~ x + (1 | g)', data), or il.fit('y ~ x', data, groups='g')",
    "LMM": "il.fit(formula, data)",
    "GLMM": "il.glmer(formula, data, family)",
    "GLM": "il.glm(formula, data, family)",
    "glmm": "il.glmer(formula, data, family)",
    "glmmTMB": "il.glmer(formula, data, family), which has ziformula= and dispformula=",
    "glmer_nb": "il.glmer(formula, data, 'negativebinomial')",
    "glm_nb": "il.glm(formula, data, 'negativebinomial')",
    "logit": "il.glm(formula, data, 'binomial')",
    "poisson": "il.glm(formula, data, 'poisson')",
    "feols": "il.glm(formula, data) with factors, or il.fit(formula, data, groups='g')",
    "fepois": "il.glm(formula, data, 'poisson')",
    "LinearMixedModel": "il.fit(formula, data)",
    "data": "il.load_dataset('sleepstudy')",
    "datasets": "il.list_datasets()",
    "get_dataset": "il.load_dataset('sleepstudy')",
    "lmerControl": "optimizer= and theta0= of il.fit",
    "glmerControl": "optimizer= and theta0= of il.glmer",
    "read_pickle": "pickle.load(file)",
    **dict.fromkeys(("read_json", "load", "readRDS"), "il.from_json('model.json')"),
    "simulateResiduals": "m.simulated_residuals()",
    "createDHARMa": "il.SimulatedResiduals.of(observed, simulated)",
    "case_delete": "il.influence(m, 'g')",
}

FUNCTIONS_INSTEAD: dict[str, str] = {
    **dict.fromkeys(
        ("AIC", "BIC", "AICtab", "aictab", "compare", "compare_performance", "model_sel"),
        "il.anova(m1, m2) has the AIC and BIC of several models, m.aic and m.bic those of one",
    ),
    **dict.fromkeys(
        ("makeLmer", "makeGlmer"),
        "il.power('~ x + (1 | g)', 'x', data=plan, params={…}) needs no fit, nor does il.simulate",
    ),
    **dict.fromkeys(("polr", "OrderedModel", "clm2", "clmm2"), _ORDINAL),
    **dict.fromkeys(("beta", "beta_family"), "il.Beta(), or family='beta'"),
    **dict.fromkeys(
        ("ZeroInflatedPoisson", "zeroinfl"), "il.ZeroInflated(il.Poisson()) is such a family"
    ),
    **dict.fromkeys(("nbinom1", "nb1"), "il.NegativeBinomial1(), or family='nbinom1'"),
    **dict.fromkeys(
        ("quantreg", "QuantRegResult", "quantreg_ker_se", "QuantReg", "rq"),
        "quantile regression is not available: statsmodels has it",
    ),
    **dict.fromkeys(
        ("coxme", "CoxmeResult", "coxph"),
        "models of survival times are not available: of piecewise constant hazards they are "
        "Poisson models with the logarithm of the time at risk as offset=",
    ),
    **dict.fromkeys(
        ("pedigreemm", "lmekin", "relmatLmer", "relmatGlmer", "mmer", "mmes"),
        f"{_KNOWN}, in il.fit and il.glmer",
    ),
    **dict.fromkeys(
        ("getA", "getAInv", "makeA", "makeAinv", "inverseA", "kinship", "editPed"),
        "il.relationship(id, sire, dam) has the additive relationships of a pedigree, and with "
        "inverse=True their inverse",
    ),
    "statsmodels_structures": "fits of other packages are not read: il.leverage(m) is of fits here",
    **dict.fromkeys(("corAR1", "AR1"), "write correlation='ar1(time | g)' in il.fit or il.gls"),
    "corARMA": "write correlation='arma(time | g, p=1, q=1)' in il.fit or il.gls",
    "corCAR1": "write correlation='car1(time | g)' in il.fit or il.gls",
    **dict.fromkeys(
        ("corCompSymm", "CompoundSymmetry"), "write correlation='cs(1 | g)' in il.fit or il.gls"
    ),
    "corSymm": "write correlation='us(time | g)' in il.fit or il.gls",
    "corExp": "write correlation='exp(x + y | g)' in il.fit or il.gls",
    "corGaus": "write correlation='gau(x + y | g)' in il.fit or il.gls",
    "varIdent": "write variance='~ f' in il.fit or il.gls",
    "varPower": "write variance='power(fitted)', or of a column, in il.fit or il.gls",
    "varExp": "write variance='exp(x)' in il.fit or il.gls",
    "varConstPower": "write variance='constpower(x)' in il.fit or il.gls",
    "varFixed": "write variance='fixed(x)' in il.fit or il.gls",
    "varComb": "write variance='ident(1 | f) * power(x)' in il.fit or il.gls",
    "mmrm": "il.gls('y ~ x', data, 'us(visit | id)', '~ visit')",
    "nlmer": "nonlinear mixed models are not available",
    "glmmPQL": "write glmer(y ~ x + (1 | g), d, family): Laplace's approximation, not PQL",
    "mixed": "afex's mixed() is lmer() with the tests of m.anova(ddf='kenward-roger')",
    **dict.fromkeys(
        ("brm", "stan_lmer", "stan_glmer", "MCMCglmm"),
        "Bayesian models are not available: write lmer(), glmer(), glmmTMB() or clmm()",
    ),
    **dict.fromkeys(
        (
            *("modelsummary", "msummary", "texreg", "screenreg", "htmlreg", "wordreg", "stargazer"),
            *("tab_model", "etable", "summary_col", "huxreg", "export_summs", "esttab"),
            *("tbl_regression", "compare_models", "mtable", "models_table"),
        ),
        "il.model_table([m1, m2]) has models side by side, to_latex(), to_html(), to_docx(path)",
    ),
    "lmList": "il.glm(formula, part) fits one group at a time, for name, part in data.groupby(...)",
}


def _instead(name: str) -> Callable[[Any], str]:
    return lambda value: f"write {name}={_short(value)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 30 and "\n" not in text else "…"


def _level(value: Any) -> str:
    return f"{1.0 - value:g}" if isinstance(value, float) and 0.0 < value < 1.0 else "0.95"


def _random_effects(value: Any) -> str:
    if value is None or value is False:
        return (
            "include_re= says which random effects enter: True for all (R's re.form = NULL), False "
            "for none (R's NA)"
        )
    return "include_re= says which random effects enter: True, False or names as '(1 | g)'"


def _kept_effects(value: Any) -> str:
    return "use_u=True keeps the random effects (R's re.form = NULL), use_u=False draws new ones"


def _method(value: Any) -> str:
    return f"write method={'ML' if value is False else 'REML'!r}"


def _new_levels(value: Any) -> str:
    return f"write new_levels={'population' if value else 'error'!r}"


def _criterion(value: Any) -> str:
    return "it is for linear models: generalised ones are fitted by maximum likelihood"


#: Keyword -> what to write; under a function's name what holds there alone.
KEYWORDS: dict[str, Hint] = {
    "control": "optimizer= chooses the method, theta0= the start; there are no tolerances to set",
    "Hess": "standard errors are always there",
    "verbose": "nothing is printed while fitting: m.convergence has evaluations and verdict",
    "start": "theta0= is the start of the covariance parameters",
    "start_params": "theta0= is the start of the covariance parameters",
    "re_formula": "random= takes terms in lme4's way, random='(1 + x | g)'",
    "vc_formula": "random= takes terms in lme4's way, random=['(1 | a)', '(1 | b)']",
    "reml": _method,
    "family": "other families than the normal are il.glmer(formula, data, family=…), or il.glm",
    "nAGQ": "quadrature is for il.glmer",
    "ziformula": _ZEROS,
    "zi": _ZEROS,
    **dict.fromkeys(("data2", "pedigree", "relmat", "varlist", "ginverse", "cov_ranef"), _KNOWN),
    **dict.fromkeys(("vcov", "cov_type", "cov_kwds", "cluster", "se_type", "robust"), _ROBUST),
    "prior_weights": _instead("weights"),
    "var_weights": _instead("weights"),
    "freq_weights": _instead("weights"),
    "exposure": "write offset=np.log(exposure)",
    "missing": "na_action= is 'omit', 'exclude' or 'raise'",
    "dropna": "na_action= is 'omit', 'exclude' or 'raise'",
    "distribution": _instead("family"),
    "fixed": "the formula comes first: il.fit('y ~ x', data, random='(1 | g)')",
    "cov_struct": _instead("correlation"),
    "solver": _instead("optimizer"),
    "maxiter": "there is no limit to set: m.convergence says whether the search came to its end",
    "tol": "there are no tolerances to set: m.convergence says how near the optimum is",
    "ddf": _DEGREES,
    "df_method": _DEGREES,
    "interval": "m.get_prediction(new, interval='prediction').summary_frame() has both kinds",
    "se_fit": "write se=True",
    "re_form": _random_effects,
    "use_rfx": _random_effects,
    "allow_new_levels": _new_levels,
    "condVar": _instead("cond_sd"),
    "whichel": "m.ranef()['g'] has one grouping factor",
    "random_state": _instead("seed"),
    "FUN": _instead("func"),
    "statistic": _instead("func"),
    **dict.fromkeys(("R", "B", "nsim", "n_bootstrap", "n_boot"), _instead("n")),
    **dict.fromkeys(("n_jobs", "ncpus", "parallel", "processes"), _instead("workers")),
    **dict.fromkeys(("show_progress", "progress_bar"), _instead("progress")),
    "rng": _instead("seed"),
    "model_names": _instead("names"),
    "typ": _instead("type"),
    "digits": "the numbers themselves are in m.tidy(), for .round(3)",
    "alternative": "tests are two-sided: half the p-value is that of the side of the estimate",
    "p_adjust": "p-values are not adjusted",
    "adjust": "p-values are not adjusted",
    "use_f": "write test='F' or test='Chisq'",
    "use_t": "df_method='normal' is for z tests",
    "r_matrix": "the hypothesis comes first, by position",
    "newresp": "the new response comes first, by position",
    "new_data": _instead("newdata"),
    "exog": _instead("newdata"),
    "data": _instead("newdata"),
    "test": "m.anova() tests terms, m.wald_test(hypothesis, test='F') any hypothesis",
    "exp": "write exponentiate=True",
    "method": "generalised models are fitted by maximum likelihood alone",
}
OF_FUNCTION: dict[str, dict[str, Hint]] = {
    "model_table": {
        **dict.fromkeys(("statistic", "show_se", "show_ci", "ci", "single_row"), _BELOW),
        **dict.fromkeys(
            ("model_names", "dv_labels", "column_labels", "custom_model_names", "headers"),
            _instead("names"),
        ),
        **dict.fromkeys(("coef_omit", "drop", "omit_coef"), _instead("omit")),
        **dict.fromkeys(("coef_rename", "pred_labels", "custom_coef_names"), _instead("labels")),
        **dict.fromkeys(("keep", "terms", "order", "reorder_coef"), _instead("coef_map")),
        **dict.fromkeys(
            ("gof_map", "gof_omit", "include", "info_dict"), _instead("fit_statistics")
        ),
        **dict.fromkeys(("fmt", "float_format", "digits_re"), _instead("digits")),
        **dict.fromkeys(("transform", "exp", "eform"), "write exponentiate=True"),
        **dict.fromkeys(
            ("output", "file", "type", "format"),
            "the table is written by its methods, il.model_table(m).to_latex(), to_html(), …",
        ),
        "show_re_var": _instead("random_effects"),
        "label": "il.model_table(m).to_latex(label='tab:1') takes it",
        "level": _instead("conf_level"),
        "caption": _instead("title"),
    },
    "predict": {
        "re_formula": _random_effects,
        "level": "m.get_prediction(new).summary_frame(alpha=0.05) has intervals",
        "alpha": "m.get_prediction(new).summary_frame(alpha=0.05) has intervals",
        "new_level_variance": "m.get_prediction(new, new_level_variance=True) has it",
        "trials": "m.get_prediction(new, interval='prediction', trials=…) has them",
        "random_only": "m.ranef() has the random effects alone",
        "terms": "m.fe_params has the coefficients",
        "which": "type='link' is the linear predictor, type='response' the mean",
        "transform": "type='link' is the linear predictor, type='response' the mean",
    },
    "get_prediction": {
        "re_formula": _random_effects,
        "type": "Prediction has both: .linear, .mean",
        "se": "standard errors are always there: .se of it, and in summary_frame()",
        "interval": "where a new observation may lie is said by the probabilities of the "
        "categories; m.get_prediction(new).summary_frame() has intervals of these",
        "alpha": "m.get_prediction(new).summary_frame(alpha=…) takes it",
        "level": "m.get_prediction(new).summary_frame(alpha=…) takes one minus it",
    },
    "simulate": {
        "re_form": _kept_effects,
        "re_formula": _kept_effects,
        "newdata": "responses are drawn for the rows of the fit only",
        "n": _instead("nsim"),
        "family": "responses are drawn from the family of the fit",
        "newparams": _instead("params"),
    },
    "simulate_refit": {
        **dict.fromkeys(("re_form", "re_formula"), _kept_effects),
        **dict.fromkeys(("n", "nrep", "B"), _instead("nsim")),
        **dict.fromkeys(("params", "newparams"), _OWN_PARAMETERS),
        **dict.fromkeys(("func", "FUN"), "m.bootstrap(n, func) keeps what a function gives"),
    },
    "power": {
        **dict.fromkeys(("n", "nrep", "n_sim", "simulations"), _instead("nsim")),
        **dict.fromkeys(("breaks", "n_groups", "sample_sizes"), _instead("sizes")),
        **dict.fromkeys(
            ("effect", "effect_size", "fixef", "beta"), "params={'x': 3.0} sets a coefficient"
        ),
        "sig_level": _instead("alpha"),
        "newparams": _instead("params"),
    },
    "emmeans": {
        **dict.fromkeys(("lmer_df", "df_method"), _instead("ddf")),
        "ddf": "tests of models of ordered categories are z tests",
        "type": "of ordered categories mode='prob' has the probabilities, mode='latent' the scale",
        "infer": "the table has intervals, .test() of it tests each mean against a value",
        "data": "the means are of the data of the fit; at={'x': [0, 10]} sets values",
        "adjust": "means are not adjusted: .pairs(adjust) of them are",
        "variables": _instead("specs"),
    },
    "contrast": {"type": "the scale is that of the means, m.emmeans('f', type='response')"},
    "influence": {
        "groups": _instead("by"),
        "group": _instead("by"),
        "level": _instead("by"),
        "approx": "exact=False is in one step, exact=True by refits",
    },
    "simulated_residuals": {
        "re_form": _kept_effects,
        "nsim": _instead("n"),
        "refit": "responses are compared with draws of the fit: nothing is refitted",
    },
    "hlm_resid": {
        "standardize": _instead("standardized"),
        "include_ls": "m.level_residuals() has those of least squares",
    },
    "hlm_influence": {"delete": "m.influence('g', exact=True) leaves out each group in turn"},
    "ranef": {"data": "m.ranef() is of the fit's own groups"},
    "augment": {
        "newdata": "m.predict(newdata) predicts other rows",
        "type_predict": ".fitted is the linear predictor, .mu the mean",
        "se_fit": "m.get_prediction().summary_frame() has standard errors",
    },
    "confint": {
        "df_method": "m.conf_int() takes it",
        "oldNames": "r_names=True are .sig01, .sigma; r_names=False sd_(Intercept)|g, sigma",
        "signames": "r_names=True are .sig01, .sigma; r_names=False sd_(Intercept)|g, sigma",
        "which": _instead("parm"),
        "type": _instead("boot_type"),
        "n": _instead("nsim"),
        "FUN": _RESAMPLE,
    },
    "conf_int": {"cols": _instead("parm"), "r_names": "m.confint() takes it"},
    "profile": {
        "which": _instead("parm"),
        "delta": _instead("spacing"),
        "prof_scale": "profiles are of standard deviations and correlations",
        "signames": "m.profile().conf_int(r_names=True) has R's names",
    },
    "anova": {
        "df_method": _instead("ddf"),
        "method": "refit=False compares REML fits as they are",
    },
    "summary": {
        "conf_int": "m.conf_int() has intervals",
        "alpha": "m.conf_int(alpha=…) has intervals",
        "correlation": "a model without random effects shows none: m.vcov(correlation=True)",
        "cor": "correlation=False leaves out the correlations of the coefficients",
        "corr": "correlation=False leaves out the correlations of the coefficients",
    },
    "tidy": {"conf_method": "intervals are Wald's", "data": "m.augment() has the rows"},
    "vcov": {
        "full": "all parameters are in that of a generalised mixed model only",
        "type": _ROBUST,
        "use_hessian": "it is from the exact Hessian already",
    },
    "glmer": {"REML": _criterion, "reml": _criterion, "cov": _KNOWN, "compress": _IN_PARTS},
    "fit": {"cov": _KNOWN},
    "clmm": {"cov": _KNOWN, "compress": _IN_PARTS},
    "glm": {
        "REML": _criterion,
        "reml": _criterion,
        **dict.fromkeys(
            ("groups", "random", "re_formula"),
            "random effects are for il.glmer, or il.fit where the family is the normal",
        ),
        "optimizer": "there is one method, Fisher's scoring with halved steps",
        "theta0": "theta belongs to random effects, and there are none here",
        "backend": "there is nothing sparse to factorise",
    },
}

#: What is often meant by a value of the wrong kind: (function, argument).
VALUES: dict[tuple[str, str], Hint] = {
    ("vcov", "correlation"): lambda v: _ROBUST[:1].upper() + _ROBUST[1:] if _is_text(v) else "",
    ("ranef", "cond_sd"): lambda v: (
        f"m.ranef()[{_short(v)}] has one grouping factor" if isinstance(v, str) else ""
    ),
    ("conf_int", "level"): lambda v: (
        f"alpha={v:g} is statsmodels' way to say the same"
        if isinstance(v, float) and 0.0 < v < 0.5
        else "m.conf_int().loc['x'] has one coefficient"
        if isinstance(v, str)
        else ""
    ),
    ("confint", "level"): lambda v: (
        "m.confint(parm, level, method) has R's order" if isinstance(v, str) else ""
    ),
    ("residuals", "type"): lambda v: _RESIDUALS.get(v.lower(), "") if isinstance(v, str) else "",
    ("predict", "type"): lambda v: (
        "terms are not available" if isinstance(v, str) and v == "terms" else ""
    ),
}


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, dict))


def attribute_hint(name: str) -> str:
    """Words on what serves for an attribute of results elsewhere; empty for unknown names."""
    name = name.replace(".", "_")
    if name in ATTRIBUTES:
        return f"{name!r} is {ATTRIBUTES[name]}"
    return _of_any(name)


def _of_any(name: str) -> str:
    """The same, for functions of R too."""
    if name in SAME:
        return f"{name!r} is {SAME[name]}"
    if name in PICTURES:
        return f"{name!r} is m.plot.{PICTURES[name]}()"
    return INSTEAD.get(name, "")


class Answering:
    """An object that says what serves instead of a name it has not: `OF_CLASS` has its words."""

    if not TYPE_CHECKING:  # a type checker is to find such names itself

        def __getattr__(self, name: str) -> Any:
            cls = type(self)
            if name in dir(cls):  # a property that failed: its own error
                return object.__getattribute__(self, name)
            hint = "" if name.startswith("_") else _answer(cls, name)
            raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}{hint}")


def _answer(cls: type, name: str) -> str:
    known = {k: v for c in cls.__mro__ for k, v in OF_CLASS.get(c.__name__, {}).items()}
    if name in known:
        return f": {name!r} is {known[name]}"
    near = suggestion(name, [n for n in dir(cls) if not n.startswith("_")])
    return f".{near}" if near else ""


def function_hint(name: str) -> str:
    """Words on what serves for a function of another package; empty for unknown names."""
    if name in FUNCTIONS:
        return f"{name!r} is {FUNCTIONS[name]}"
    return FUNCTIONS_INSTEAD.get(name) or _of_any(name.replace(".", "_"))


#: Functions that stand in formulas elsewhere.
IN_FORMULAS: dict[str, str] = {
    **dict.fromkeys(
        ("s", "te", "ti", "t2", "lo", "pb"),
        "penalised smooths are not available: ns(x, df=4) and bs(x, df=5) are splines",
    ),
    **dict.fromkeys(("interaction", "Interaction"), "write a:b, or (1 | a:b) in a random term"),
    "Error": "strata of errors are random effects: Error(a / b) is (1 | a / b)",
    "cut": "compute it as a column, with pandas.cut and edges of your own",
    "strata": "write it as a factor, or as a random term (1 | g)",
    "cluster": _ROBUST,
    "mo": "monotonic effects are not available: an ordered factor has polynomial contrasts",
}


def keyword_hint(function: str, key: str, value: Any, names: Sequence[str]) -> str:
    """Words on what to write for a keyword of other packages; empty for unknown ones."""
    key = key.replace(".", "_")
    own = next((name for name in ("level", "conf_level", "alpha") if name in names), "")
    if own and key in ("level", "conf_level", "alpha"):
        same = (key == "alpha") == (own == "alpha")
        return f"write {own}={_short(value) if same else _level(value)}"
    own_hint = OF_FUNCTION.get(function, {}).get(key)
    hint = KEYWORDS.get(key, "") if own_hint is None else own_hint
    text = hint(value) if callable(hint) else hint
    meant = re.match(r"(?:write )?(\w+)=", text)
    # an argument of other functions than this one is no advice
    return "" if own_hint is None and meant and meant[1] not in names else text


def value_hint(function: str, name: str, value: Any) -> str:
    """Words on what is often meant by a value that an argument does not take, if that is known."""
    hint = VALUES.get((function, name), "")
    return hint(value) if callable(hint) else hint
