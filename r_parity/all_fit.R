# lme4's allFit: r_parity/references/all_fit.json.
#   Rscript r_parity/all_fit.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# Of each search its log-likelihood and fixed effects; NA where it gave no fit.
searches <- function(fitted, data, formula) {
  suppressWarnings(capture.output(found <- summary(allFit(fitted, verbose = FALSE))))
  list(data = data, formula = formula, names = I(names(found$llik)),
       log_lik = I(as.numeric(found$llik)), fixef = unname(found$fixef))
}

d1 <- model_data("sleepstudy"); d2 <- model_data("Orthodont"); d3 <- cbpp
f1 <- "Reaction ~ Days + (Days | Subject)"
f2 <- "distance ~ age * Sex + (age | Subject)"
f3 <- "cbind(incidence, size - incidence) ~ period + (1 | herd)"
cases <- list(
  sleepstudy = searches(lmer(as.formula(f1), d1), "sleepstudy", f1),
  orthodont = searches(lmer(as.formula(f2), d2), "Orthodont", f2),
  cbpp = searches(glmer(as.formula(f3), d3, family = binomial), "cbpp", f3))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "all_fit.json"))
