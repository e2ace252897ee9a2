# Models with series of random effects by glmmTMB: linear ones, r_parity/references/long_series.json,
# and generalised ones, r_parity/references/long_series_glmm.json.
#   Rscript r_parity/long_series.R [--out r_parity] [--only linear | glmm]
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
  eta <- 0.3 * d$x + 0.8 * as.vector(a) + 0.3 * normal(groups, 31)[d$g] + 0.3 * normal(6, 37)[d$h]
  d$count <- qpois(uniform(nrow(d), 47), exp(0.5 + eta))
  d$yes <- as.numeric(uniform(nrow(d), 53) < plogis(2 * eta))
  d$counted <- d$count * (uniform(nrow(d), 61) > 0.25)
  d$k <- factor(1 + floor(7 * uniform(nrow(d), 67)))
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
# Standard errors have the Hessian of all parameters. The logarithm of a standard deviation of zero
# has neither curvature nor slope: the log-likelihood is short of its limit by half the slope.
tight_model <- function(fit) {
  tight <- tighten(fit$obj, unname(fit$fit$par), restarts = 2)
  H <- tight$hessian
  curved <- diag(H) > 1e-6
  size <- scaled_gradient(H[curved, curved], tight$gradient[curved])
  if (size > 1e-6 || any(abs(tight$gradient[!curved]) > 1e-8))
    stop("no tight optimum: scaled gradient ", size)
  errors <- sqrt(diag(solve(H[curved, curved])))
  list(fit = moved_to(fit, tight), value = tight$value, size = size,
       spread = tight$restart_spread, se = errors[tight$names[curved] == "beta"])
}
generalised_model <- function(formula, family, rho = 0.8, groups = 12, times = 40, ...) {
  tight <- tight_model(quietly(glmmTMB(as.formula(formula), series(rho, groups, times),
                                       family = family, se = FALSE, ...)))
  S <- VarCorr(tight$fit)$cond
  list(rho = rho, groups = groups, times = times, formula = formula, family = family$family,
       arguments = lapply(list(...), deparse), logLik = -tight$value,
       scaled_gradient = tight$size, restart_spread = tight$spread,
       beta = I(unname(fixef(tight$fit)$cond)), se = I(tight$se),
       zi = I(unname(fixef(tight$fit)$zi)), disp = I(unname(fixef(tight$fit)$disp)),
       sd = unname(attr(S[[1]], "stddev")[1]), correlation = unname(attr(S[[1]], "correlation")[2, 1]),
       others = I(vapply(S[-1], function(s) attr(s, "stddev")[[1]], 0, USE.NAMES = FALSE)))
}
generalised <- function() {
  one <- "count ~ x + ar1(0 + t | g)"
  list(
    poisson = generalised_model(one, poisson()),
    poisson_longer = generalised_model(one, poisson(), groups = 6, times = 150),
    poisson_level = generalised_model(paste(one, "+ (1 | g)"), poisson()),
    poisson_crossed = generalised_model(paste(one, "+ (1 | h)"), poisson()),
    poisson_singular = generalised_model(paste(one, "+ (1 | k)"), poisson()),
    poisson_ou = generalised_model("count ~ x + ou(0 + p | g)", poisson()),
    binomial = generalised_model("yes ~ x + ar1(0 + t | g)", binomial()),
    binomial_negative = generalised_model("yes ~ x + ar1(0 + t | g)", binomial(), rho = -0.8),
    nbinom2 = generalised_model(one, nbinom2()),
    poisson_zeros = generalised_model("counted ~ x + ar1(0 + t | g)", poisson(), ziformula = ~ 1),
    gaussian_dispersion = generalised_model("y ~ x + ar1(0 + t | g)", gaussian(), dispformula = ~ x))
}
only <- argument("only", "all")
if (only != "linear") {
  packages <- sapply(c("glmmTMB", "TMB"), function(p) as.character(packageVersion(p)), simplify = FALSE)
  write_reference(list(cases = generalised(), versions = c(versions(), packages)),
                  file.path(out, "references", "long_series_glmm.json"))
}
if (only == "glmm") quit(save = "no")
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
