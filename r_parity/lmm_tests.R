# Comparisons of models: r_parity/references/lmm_tests.json.
#   Rscript r_parity/lmm_tests.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(splines)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

tight_ml <- function(data, formula) {
  found <- tight_fit(fitter(list(formula = formula, method = "ML"), model_data(data)))$tight
  list(formula = formula, df = attr(logLik(found), "df"), aic = AIC(found), bic = BIC(found),
       log_likelihood = as.numeric(logLik(found)))
}

# Likelihood-ratio tests of a sequence of nested models by maximum likelihood, as anova() makes them
# (its own refit is loose, hence the arithmetic here on tight fits).
likelihood_ratio <- function(data, ...) {
  models <- lapply(list(...), tight_ml, data = data)
  log_lik <- vapply(models, `[[`, 0, "log_likelihood")
  df <- vapply(models, `[[`, 0, "df")
  chisq <- pmax(0, 2 * diff(log_lik))
  list(data = data, models = models, chisq = I(chisq), df = I(diff(df)),
       p = I(pchisq(chisq, diff(df), lower.tail = FALSE)))
}

tests <- list(
  sleepstudy_correlation = likelihood_ratio(
    "sleepstudy", "Reaction ~ Days + (Days || Subject)", "Reaction ~ Days + (Days | Subject)"),
  sleepstudy_days = likelihood_ratio(
    "sleepstudy", "Reaction ~ 1 + (Days | Subject)", "Reaction ~ Days + (Days | Subject)"),
  sleepstudy_three = likelihood_ratio(
    "sleepstudy", "Reaction ~ Days + (1 | Subject)", "Reaction ~ Days + (Days || Subject)",
    "Reaction ~ Days + (Days | Subject)"),
  cake_interaction = likelihood_ratio(
    "cake", "angle ~ recipe + temperature + (1 | recipe:replicate)",
    "angle ~ recipe * temperature + (1 | recipe:replicate)"),
  machines = likelihood_ratio(
    "Machines", "score ~ Machine + (1 | Worker/Machine)", "score ~ Machine + (Machine | Worker)"))
tests$versions <- versions()
dir.create(file.path(out, "references"), showWarnings = FALSE, recursive = TRUE)
write_reference(tests, file.path(out, "references", "lmm_tests.json"))
