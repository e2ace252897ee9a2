# Writes r_parity/references/lmm/<id>.json and r_parity/data.
#   Rscript r_parity/lmm.R [--out r_parity] [--only id,id]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(splines)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_glmm.R", "simulate_several.R", "simulate_structures.R", "lmm_models.R",
               "tight.R", "collect.R"))
  source(file.path(here, file))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "lmm")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)
write_simulated(file.path(out, "data"))

chosen <- if (nzchar(only)) models[intersect(strsplit(only, ",")[[1]], names(models))] else models
failed <- character()
for (m in chosen) {
  record <- NULL
  seconds <- system.time(
    record <- tryCatch(reference(m, model_data(m$data)), error = identity))[["elapsed"]]
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-30s %s", m$id, paste(format(record), collapse = " ")))
    next
  }
  write_reference(record, file.path(folder, paste0(m$id, ".json")))
  message(sprintf("%-30s %17.9f  scaled gradient %.0e  %5.1f s%s", m$id, record$criterion$tight,
                  record$criterion$scaled_gradient, seconds,
                  if (is.null(record$satterthwaite$coefficients)) "  (no Satterthwaite)" else ""))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
