# Writes r_parity/references/ordinal/<id>.json: models of ordered responses, by ordinal and, where it stops early or
# has none, by cumulative.cpp. The simulated data are written by lmm.R.
#   Rscript r_parity/ordinal.R [--out r_parity] [--only id,id] [--template folder of a compiled cumulative.cpp]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_structures.R", "collect.R", "glmm_tight.R", "glmm_collect.R", "several_tight.R",
               "several_collect.R", "ordinal_models.R", "ordinal_tight.R", "ordinal_collect.R"))
  source(file.path(here, file))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "ordinal")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

ordinal_versions <- function() {
  packages <- c("ordinal", "MASS", "TMB", "Matrix", "lme4", "numDeriv", "statmod", "jsonlite")
  c(list(R = as.character(getRversion())),
    sapply(packages, function(p) as.character(packageVersion(p)), simplify = FALSE))
}

ordinal_reference <- function(m) {
  data <- model_data(m$data)
  c(list(id = m$id, data = m$data, formula = m$formula, link = m$link, threshold = m$threshold, nominal = m$nominal,
         scale = m$scale, weights = m$weights, nAGQ = m$nodes, edge = m$edge),
    ordinal_record(m, data, ordinal_tight(m, data)), list(versions = ordinal_versions()))
}

chosen <- if (nzchar(only)) ordinals[intersect(strsplit(only, ",")[[1]], names(ordinals))] else ordinals
load_cumulative(here, argument("template", file.path(tempdir(), "cumulative")))
failed <- character()
for (m in chosen) {
  record <- NULL
  seconds <- system.time(record <- tryCatch(ordinal_reference(m), error = identity))[["elapsed"]]
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-32s %s", m$id, substr(paste(format(record), collapse = " "), 1, 300)))
    next
  }
  write_reference(record, file.path(folder, paste0(m$id, ".json")))
  gap <- function(answer) if (is.null(answer)) NA else answer$log_likelihood - record$log_likelihood
  message(sprintf("%-32s %16.8f  ordinal %.1e  polr %.1e  gradient %.0e  scaled %.0e  spread %.0e  %5.1f s%s",
                  m$id, record$log_likelihood, gap(record$ordinal), gap(record$polr), record$gradient,
                  record$scaled_gradient, if (is.null(record$restart_spread)) NA else record$restart_spread,
                  seconds, if (record$converged) "" else "  NOT CONVERGED"))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
