# Writes r_parity/references/several/<id>.json: models with several linear predictors, by glmmTMB and,
# where it has none, by several.cpp. The simulated data are written by lmm.R.
#   Rscript r_parity/several.R [--out r_parity] [--only id,id] [--template folder of a compiled several.cpp]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_glmm.R", "simulate_several.R", "collect.R", "glmm_tight.R", "glmm_collect.R",
               "several_models.R", "several_density.R", "several_tight.R", "several_collect.R", "several_own.R"))
  source(file.path(here, file))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "several")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

several_versions <- function() {
  packages <- c("glmmTMB", "TMB", "Matrix", "lme4", "jsonlite")
  c(list(R = as.character(getRversion())),
    sapply(packages, function(p) as.character(packageVersion(p)), simplify = FALSE))
}

# How a model is fitted and recorded: by glmmTMB, by several.cpp, or in three parts.
record_of <- list(
  glmmTMB = function(m, data) several_record(m, several_tight(m, data)),
  TMB = function(m, data) own_record(m, own_tight(m, data)),
  parts = zoib_record)

several_reference <- function(m) {
  family <- list(name = if (is.null(m$family)) "zero_one_inflated_beta" else m$family,
                 link = if (is.null(m$link)) "logit" else m$link, fixed_psi = m$fixed)
  c(list(id = m$id, system = m$system, data = m$data, formula = m$formula, python_formula = m$python,
         zi = m$zi, zoi = m$zoi, coi = m$coi, disp = m$disp, family = Filter(Negate(is.null), family),
         method = if (isTRUE(m$reml)) "REML" else "ML", weights = m$weights, edge = m$edge),
    record_of[[m$system]](m, model_data(m$data)), list(versions = several_versions()))
}

models <- c(lapply(severals, c, list(system = "glmmTMB")), lapply(owns, c, list(system = "TMB")),
            lapply(zoibs, c, list(system = "parts")))
chosen <- if (nzchar(only)) models[intersect(strsplit(only, ",")[[1]], names(models))] else models
if (any(vapply(chosen, `[[`, "", "system") == "TMB"))
  load_several(here, argument("template", file.path(tempdir(), "several")))
failed <- character()
for (m in chosen) {
  record <- NULL
  seconds <- system.time(record <- tryCatch(several_reference(m), error = identity))[["elapsed"]]
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-32s %s", m$id, substr(paste(format(record), collapse = " "), 1, 300)))
    next
  }
  write_reference(record, file.path(folder, paste0(m$id, ".json")))
  message(sprintf("%-32s %16.8f  default %.1e  gradient %.0e  scaled %.0e  spread %.0e  density %.0e  %5.1f s%s",
                  m$id, record$log_likelihood,
                  if (is.null(record$default)) NA else record$default$log_likelihood - record$log_likelihood,
                  record$gradient, record$scaled_gradient,
                  if (is.null(record$restart_spread)) NA else record$restart_spread,
                  record$density$difference, seconds, if (record$converged) "" else "  NOT CONVERGED"))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
