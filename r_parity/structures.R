# Writes r_parity/references/structures/<id>.json: covariance structures of random effects by glmmTMB at the tight
# optimum, with their parameters on the natural scale; and, by dense algebra or glmm.cpp, those that it has not.
# The simulated data are written by lmm.R.
#   Rscript r_parity/structures.R [--out r_parity] [--only id,id] [--template folder of a compiled glmm.cpp]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_structures.R", "collect.R", "glmm_response.R", "glmm_tight.R", "glmm_collect.R",
               "several_models.R", "several_density.R", "several_tight.R", "several_collect.R",
               "structures_models.R", "structures_collect.R", "structures_dense.R"))
  source(file.path(here, file))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "structures")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

structures_versions <- function() {
  packages <- c("glmmTMB", "TMB", "Matrix", "lme4", "numDeriv", "jsonlite")
  c(list(R = as.character(getRversion())),
    sapply(packages, function(p) as.character(packageVersion(p)), simplify = FALSE))
}

record_of <- list(
  glmmTMB = function(m, data) structured_record(m, several_tight(m, data)), dense = dense_record, TMB = known_record)

structures_reference <- function(m)
  c(list(id = m$id, system = m$system, data = m$data, formula = m$formula, python_formula = m$python, zi = m$zi,
         disp = m$disp, family = list(name = m$family, link = m$link), method = if (isTRUE(m$reml)) "REML" else "ML",
         known = m$known, edge = m$edge),
    record_of[[m$system]](m, model_data(m$data)), list(versions = structures_versions()))

models <- c(lapply(structures, c, list(system = "glmmTMB")), denses)
chosen <- if (nzchar(only)) models[intersect(strsplit(only, ",")[[1]], names(models))] else models
if (any(vapply(chosen, `[[`, "", "system") == "TMB"))
  load_template(here, argument("template", file.path(tempdir(), "template")))
failed <- character()
for (m in chosen) {
  record <- NULL
  seconds <- system.time(record <- tryCatch(structures_reference(m), error = identity))[["elapsed"]]
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-28s %s", m$id, substr(paste(format(record), collapse = " "), 1, 300)))
    next
  }
  write_reference(record, file.path(folder, paste0(m$id, ".json")))
  message(sprintf("%-28s %16.8f  default %.1e  gradient %.0e  scaled %.0e  spread %.0e  density %.0e  %5.1f s%s  %s",
                  m$id, record$log_likelihood,
                  if (is.null(record$default)) NA else record$default$log_likelihood - record$log_likelihood,
                  record$gradient, record$scaled_gradient,
                  if (is.null(record$restart_spread)) NA else record$restart_spread,
                  if (is.null(record$density)) NA else record$density$difference, seconds,
                  if (record$converged) "" else "  NOT CONVERGED",
                  paste(vapply(record$natural, function(t) paste(sprintf("%.3g(%.2g)", unlist(lapply(t[-1], `[[`, "values")),
                    unlist(lapply(t[-1], `[[`, "se"))), collapse = " "), ""), collapse = " | ")))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
