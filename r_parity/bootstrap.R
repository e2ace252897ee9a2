# The bootstrap of lme4, intervals of boot, and pbkrtest's tests: r_parity/references/bootstrap.json.
#   Rscript r_parity/bootstrap.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(boot)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

statistic <- function(m) c(fixef(m), as.data.frame(VarCorr(m))$sdcor)

# Responses drawn by R, each fitted tightly; means and standard deviations of bootMer, where its
# refits come to an optimum.
linear <- function(data, formula, nsim = 0, method = "REML") {
  d <- model_data(data)
  spec <- list(formula = formula, method = method)
  m <- tight_fit(fitter(spec, d))$tight
  loose <- fitter(spec, d)()  # bootMer refits by the optimiser that its model was fitted by
  response <- all.vars(as.formula(formula))[1]
  drawn <- simulate(m, nsim = 4, seed = 11)
  refitted <- lapply(drawn, function(y) {
    d[[response]] <- y
    new <- tight_fit(fitter(spec, d))$tight
    list(y = y, statistic = I(unname(statistic(new))), log_lik = as.numeric(logLik(new)))
  })
  own <- list(data = data, formula = formula, method = method, statistic = I(unname(statistic(m))),
              refits = unname(refitted))
  if (!nsim) return(own)
  b <- suppressWarnings(suppressMessages(bootMer(loose, statistic, nsim = nsim, seed = 101)))
  semi <- suppressWarnings(suppressMessages(
    bootMer(loose, statistic, nsim = 400, seed = 102, use.u = TRUE, type = "semiparametric")))
  kept <- suppressWarnings(suppressMessages(
    bootMer(loose, statistic, nsim = 400, seed = 103, use.u = TRUE)))
  summed <- function(b) list(nsim = b$R, mean = I(unname(colMeans(b$t))),
                             sd = I(unname(apply(b$t, 2, sd))))
  c(own, list(parametric = summed(b), semiparametric = summed(semi), kept = summed(kept),
              t = b$t[1:200, , drop = FALSE]))
}

# Limits of boot.ci on the replicates that are kept beside them.
limits <- function(t0, t) {
  b <- structure(list(t0 = t0, t = t, R = nrow(t), sim = "parametric", call = quote(boot())),
                 class = "boot")
  b$call <- call("boot")
  one <- function(j, level) {
    ci <- boot.ci(b, conf = level, type = c("norm", "basic", "perc"), index = j)
    list(normal = ci$normal[2:3], basic = ci$basic[4:5], percentile = ci$percent[4:5])
  }
  lapply(c(`0.95` = 0.95, `0.9` = 0.9, `0.999` = 0.999), function(level)
    lapply(seq_along(t0), one, level = level))
}

# BCa on replicates and influences: a sample of numbers, whose mean is resampled.
bca <- function() {
  set.seed(5)
  x <- rexp(25)
  b <- boot(x, function(x, i) mean(x[i]), R = 499)
  ci <- boot.ci(b, type = "bca", L = empinf(data = x, statistic = function(x, i) mean(x[i]),
                                            type = "jack", stype = "i"))
  list(x = x, t0 = b$t0, t = as.vector(b$t), limits = ci$bca[4:5])
}

cases <- list(
  sleepstudy = linear("sleepstudy", "Reaction ~ Days + (Days | Subject)", 1000),
  dyestuff = linear("Dyestuff", "Yield ~ 1 + (1 | Batch)", 1000, "ML"),
  penicillin = linear("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", 600),
  # refit() of lme4 1.1-31 leaves theta of this model where it was: the mean of 30 refits is 6.468,
  # that of new fits to the same responses 6.240
  cake = linear("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)"))
cases$sleepstudy$limits <- limits(unlist(cases$sleepstudy$statistic), cases$sleepstudy$t)
for (name in c("dyestuff", "penicillin")) cases[[name]]$t <- NULL
cases$bca <- bca()

cbpp_model <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial,
                    control = glmerControl(tolPwrss = 1e-12, optCtrl = list(xtol_abs = 1e-10,
                                                                            ftol_abs = 1e-12)))
drawn <- simulate(cbpp_model, nsim = 4, seed = 3)
b <- suppressWarnings(suppressMessages(bootMer(cbpp_model, statistic, nsim = 400, seed = 104)))
cases$cbpp <- list(
  statistic = I(unname(statistic(cbpp_model))),
  refits = unname(lapply(drawn, function(y)
    list(y = y[, 1] / cbpp$size, statistic = I(unname(statistic(refit(cbpp_model, y))))))),
  parametric = list(nsim = b$R, mean = I(unname(colMeans(b$t))),
                    sd = I(unname(apply(b$t, 2, sd)))))
cases$versions <- c(versions(), list(boot = as.character(packageVersion("boot"))))
write_reference(cases, file.path(out, "references", "bootstrap.json"))
