# Kenward and Roger's variances and tests by pbkrtest: r_parity/references/lmm_kenward_roger.json.
#   Rscript r_parity/lmm_kenward_roger.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(splines)
  library(pbkrtest)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# Models whose variances are not zero, by REML, of few rows: pbkrtest inverts matrices of all rows.
chosen <- c("L1_dyestuff", "L3_sleepstudy", "L3u_sleepstudy_uncorrelated", "L4_penicillin",
            "L5_pastes", "L6_cake", "L7_machines", "L7n_machines_nested", "L8_orthodont", "L9_oats",
            "L14_ham", "re_double_bar", "re_factor", "re_ordered", "re_slope_only", "re_two_terms",
            "re_two_terms_apart", "re_slopes_crossed", "re_cells", "re_log")

kenward_roger <- function(spec) {
  found <- tight_fit(fitter(spec, model_data(spec$data)))$tight
  Phi <- vcov(found)
  adjusted <- vcovAdj(found)
  p <- length(fixef(found))
  df <- vapply(seq_len(p), function(j) Lb_ddf(diag(p)[j, ], Phi, adjusted), 0)
  # all coefficients but the first, each two in a row, and a sum of all
  tests <- list()
  if (p > 1) tests$all <- diag(p)[-1, , drop = FALSE]
  if (p > 2) tests$last <- diag(p)[c(p - 1, p), ]
  if (p > 2) tests$mixed <- rbind(rep(1, p), c(0, rep(c(1, -1), length.out = p - 1)))
  list(data = spec$data, formula = spec$formula, python = spec$python,
       theta = I(as.vector(getME(found, "theta"))), sigma = sigma(found),
       cov = as.matrix(adjusted), df = I(df),
       tests = lapply(tests, function(L) {
         told <- KRmodcomp(found, L)$test
         list(L = L, F = told["Ftest", "stat"], unscaled = told["FtestU", "stat"],
              ndf = told["Ftest", "ndf"], ddf = told["Ftest", "ddf"],
              p = told["Ftest", "p.value"])
       }))
}

references <- lapply(models[chosen], function(spec) { message(spec$id); kenward_roger(spec) })
references$versions <- c(versions(), list(pbkrtest = as.character(packageVersion("pbkrtest"))))
dir.create(file.path(out, "references"), showWarnings = FALSE, recursive = TRUE)
write_reference(references, file.path(out, "references", "lmm_kenward_roger.json"))
