# Linear models with series of random effects by glmmTMB: r_parity/references/long_series.json.
#   Rscript r_parity/long_series.R [--out r_parity]
# The rows come from a generator of whole numbers, which tests repeat to the last digit.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R", "glmm_tight.R", "several_tight.R"))
  source(file.path(here, file))
out <- argument("out", here)

# Park and Miller's generator: products of whole numbers stay below 2^53.
uniform <- function(n, seed) {
  x <- numeric(n)
  for (i in seq_len(n)) x[i] <- seed <- (seed * 16807) %% 2147483647
  x / 2147483647
}
normal <- function(n, seed) {
  u <- uniform(2 * n, seed)
  sqrt(-2 * log(u[seq_len(n)])) * cos(2 * pi * u[n + seq_len(n)])
}
series <- function(rho, groups = 25, times = 60) {
  e <- matrix(normal(groups * times, 11), times)
  a <- e
  for (t in 2:times) a[t, ] <- rho * a[t - 1, ] + sqrt(1 - rho^2) * e[t, ]
  d <- data.frame(g = rep(seq_len(groups), each = times), time = rep(seq_len(times), groups))
  d$h <- 1 + floor(6 * uniform(nrow(d), 17))
  d$x <- normal(nrow(d), 23)
  d$pos <- d$time + 0.5 * (d$time %% 3)
  d$y <- 1 + 0.5 * d$x + as.vector(a) + 0.5 * normal(groups, 31)[d$g] + 0.4 * normal(6, 37)[d$h] +
    0.7 * normal(nrow(d), 41)
  d <- d[uniform(nrow(d), 43) < 0.75, ]
  d$t <- factor(d$time); d$p <- numFactor(d$pos); d$g <- factor(d$g); d$h <- factor(d$h)
  d
}

# Given the covariance parameters; REML takes coefficients as random effects.
standard_errors <- function(fit, reml) {
  if (reml) {
    given <- TMB::sdreport(fit$obj, par.fixed = unname(fit$sdr$par.fixed), ignore.parm.uncertainty = TRUE,
                           hessian.fixed = diag(length(fit$sdr$par.fixed)))
    found <- summary(given, "random")
    return(unname(found[rownames(found) == "beta", 2]))
  }
  own <- names(fit$sdr$par.fixed) == "beta"
  unname(sqrt(diag(solve(solve(fit$sdr$cov.fixed)[own, own]))))
}
fitted_model <- function(rho, formula, reml = FALSE) {
  fit <- tight_glmmTMB(glmmTMB(as.formula(formula), series(rho), REML = reml), restarts = 3)
  S <- VarCorr(fit)$cond[[1]]
  list(rho = rho, formula = formula, method = if (reml) "REML" else "ML",
       logLik = as.numeric(logLik(fit)), beta = I(unname(fixef(fit)$cond)),
       se = I(standard_errors(fit, reml)), sigma = sigma(fit),
       sd = unname(attr(S, "stddev")[1]), correlation = unname(attr(S, "correlation")[2, 1]))
}
one <- "y ~ x + ar1(0 + t | g)"
cases <- list(
  ar1 = fitted_model(0.8, one), ar1_reml = fitted_model(0.8, one, TRUE),
  ar1_negative = fitted_model(-0.6, one),
  ar1_level = fitted_model(0.8, paste(one, "+ (1 | g)")),
  ar1_slope = fitted_model(0.8, paste(one, "+ (0 + x | g)"), TRUE),
  ar1_crossed = fitted_model(0.8, paste(one, "+ (1 | h)")),
  ou = fitted_model(0.8, "y ~ x + ou(0 + p | g)"),
  ou_reml = fitted_model(0.8, "y ~ x + ou(0 + p | g)", TRUE),
  ou_crossed = fitted_model(0.8, "y ~ x + ou(0 + p | g) + (1 | h)"))
write_reference(list(cases = cases, versions = versions()),
                file.path(out, "references", "long_series.json"))
