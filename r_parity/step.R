# Backward elimination by lmerTest: r_parity/references/step.json.
#   Rscript r_parity/step.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# step() fits each model again by the same control: tight enough for six digits.
tight_control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5),
                             calc.derivs = FALSE)

eliminated <- function(data, formula, ...) {
  d <- model_data(data)
  # step() evaluates the call again where it was made
  assign("d", d, envir = globalenv())
  fitted <- do.call(lmerTest::lmer, list(as.formula(formula), quote(d), control = tight_control),
                    envir = globalenv())
  found <- step(fitted, ...)
  table <- function(t) c(list(labels = I(rownames(t))), lapply(as.list(as.data.frame(t)), I))
  last <- attr(found, "model")
  list(data = data, formula = formula, arguments = list(...),
       random = table(found$random), fixed = table(found$fixed),
       final = paste(deparse(formula(last), width.cutoff = 500), collapse = " "),
       kind = class(last)[1])
}

cases <- list(
  ham = eliminated("ham", "Informed.liking ~ Product * Information * Gender + (1 | Product:Consumer) + (1 | Consumer)"),
  ham_age = eliminated("ham", "Informed.liking ~ Product * Information * Gender + Age + (1 | Product:Consumer) + (Information | Consumer)"),
  carrots = eliminated("carrots", "Preference ~ sens2 * Homesize * Age + (1 + sens1 + sens2 | Consumer) + (1 | Product)"),
  carrots_kept = eliminated("carrots", "Preference ~ sens1 + sens2 + Homesize + (1 + sens2 | Consumer)", keep = "sens1"),
  sleepstudy = eliminated("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
  cake = eliminated("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)"),
  cake_kr = eliminated("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)", ddf = "Kenward-Roger"),
  dyestuff2 = eliminated("Dyestuff2", "Yield ~ 1 + (1 | Batch)"),
  orthodont = eliminated("Orthodont", "distance ~ age * Sex + (age | Subject)", alpha.random = 0.5),
  oats = eliminated("Oats", "yield ~ nitro * Variety + (1 | Block / Variety)"))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "step.json"))
