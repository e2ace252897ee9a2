# Intervals of proportions, and pbkrtest's tests by simulation: r_parity/references/simulated_tests.json.
#   Rscript r_parity/simulated_tests.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(pbkrtest)
})
here <- folder_of_script()
source(file.path(here, "collect.R"))
out <- argument("out", here)

proportions <- list()
for (n in c(20, 1000)) for (k in c(0, 1, 7, n %/% 2, n - 1, n)) for (level in c(0.95, 0.8))
  proportions <- c(proportions, list(list(
    k = k, n = n, level = level,
    clopper = I(as.vector(binom.test(k, n, conf.level = level)$conf.int)),
    wilson = I(as.vector(suppressWarnings(
      prop.test(k, n, conf.level = level, correct = FALSE)$conf.int))))))

# PBmodcomp on statistics that are kept beside its tests.
compared <- function(data, large, small, nsim) {
  m1 <- lmer(large, data, REML = FALSE)
  m0 <- lmer(small, data, REML = FALSE)
  ref <- suppressWarnings(suppressMessages(PBrefdist(m1, m0, nsim = nsim, seed = 7)))
  told <- summary(PBmodcomp(m1, m0, ref = ref))
  list(large = paste(deparse(large), collapse = ""), small = paste(deparse(small), collapse = ""),
       ref = I(as.vector(ref)), nsim = nsim,
       lrt = unname(getLRT(m1, m0)["tobs"]), df = unname(getLRT(m1, m0)["df"]),
       rows = I(rownames(told$test)), stat = I(told$test$stat), df_test = I(told$test$df),
       ddf = I(told$test$ddf), p = I(told$test$p.value))
}
cases <- list(
  proportions = proportions,
  sleepstudy = compared(sleepstudy, Reaction ~ Days + (Days | Subject),
                        Reaction ~ 1 + (Days | Subject), 200),
  slope = compared(sleepstudy, Reaction ~ Days + (Days || Subject),
                   Reaction ~ Days + (1 | Subject), 200),
  cake = compared(cake, angle ~ recipe * temp + (1 | recipe:replicate),
                  angle ~ recipe + temp + (1 | recipe:replicate), 400))
cases$versions <- c(versions(), list(pbkrtest = as.character(packageVersion("pbkrtest"))))
write_reference(cases, file.path(out, "references", "simulated_tests.json"))
