# Random terms left out one by one: r_parity/references/deletions.json.
#   Rscript r_parity/deletions.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer")
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# ranova() fits loosely; its labels are kept here beside tight fits of the formulas that it fits.
deletions <- function(data, formula, ...) {
  formulas <- list(...)
  d <- model_data(data)
  log_lik <- function(f) {
    fit <- if (is.null(findbars(as.formula(f)))) lm(as.formula(f), d)
           else tight_fit(fitter(list(formula = f), d))$tight
    as.numeric(logLik(fit, REML = TRUE))
  }
  fitted <- lmerTest::lmer(as.formula(formula), d)
  told <- as.data.frame(ranova(fitted))
  list(data = data, formula = formula, labels = I(rownames(told)), npar = I(told$npar),
       log_lik = I(c(log_lik(formula), vapply(formulas, log_lik, 0))))
}

cases <- list(
  sleepstudy = deletions("sleepstudy", "Reaction ~ Days + (Days | Subject)",
                         "Reaction ~ Days + (1 | Subject)"),
  dyestuff = deletions("Dyestuff", "Yield ~ 1 + (1 | Batch)", "Yield ~ 1"),
  orthodont = deletions("Orthodont", "distance ~ age * Sex + (age || Subject)",
                        "distance ~ age * Sex + (0 + age | Subject)",
                        "distance ~ age * Sex + (1 | Subject)"),
  pastes = deletions("Pastes", "strength ~ 1 + (1 | batch / cask)",
                     "strength ~ 1 + (1 | batch)", "strength ~ 1 + (1 | cask:batch)"),
  carrots = deletions("carrots", "Preference ~ sens2 * Homesize + (1 + sens2 | Consumer) + (1 | Product)",
                      "Preference ~ sens2 * Homesize + (1 | Consumer) + (1 | Product)",
                      "Preference ~ sens2 * Homesize + (1 + sens2 | Consumer)"))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "deletions.json"))
