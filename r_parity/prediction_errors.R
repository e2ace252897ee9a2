# Standard errors of predictions with the uncertainty of the covariance parameters, by glmmTMB:
# r_parity/references/prediction_errors.json.
#   Rscript r_parity/prediction_errors.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R", "glmm_tight.R", "several_tight.R"))
  source(file.path(here, file))
out <- argument("out", here)

# glmmTMB's own Hessian is of differences of gradients: good to six digits at this optimum.
errors <- function(data, formula, family = gaussian(), weights = NULL, reml = FALSE, name = NULL) {
  d <- model_data(data)
  d$.w <- if (is.null(weights)) 1 else d[[weights]]
  fit <- tight_glmmTMB(glmmTMB(as.formula(formula), d, family, weights = .w, REML = reml))
  rows <- predict(fit, type = "link", se.fit = TRUE)
  list(data = data, formula = formula, family = name, weights = weights,
       method = if (reml) "REML" else "ML", fit = I(unname(rows$fit)), se = I(unname(rows$se.fit)))
}
cases <- list(
  sleepstudy = errors("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
  sleepstudy_reml = errors("sleepstudy", "Reaction ~ Days + (Days | Subject)", reml = TRUE),
  diagonal = errors("sleepstudy", "Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)"),
  penicillin = errors("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
  pastes = errors("Pastes", "strength ~ 1 + (1 | batch / cask)", reml = TRUE),
  orthodont = errors("Orthodont", "distance ~ age * Sex + (1 | Subject)"),
  cbpp = errors("cbpp", "incidence / size ~ period + (1 | herd)", binomial(), "size", name = "binomial"),
  ticks = errors("grouseticks", "TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", poisson(),
                 name = "poisson"))
write_reference(list(cases = cases, versions = versions()),
                file.path(out, "references", "prediction_errors.json"))
