# What a family means, by its formulas: used where lme4 and glmmTMB are to be checked against
# definitions, and where they offer nothing.

loglog_link <- structure(list(
  linkfun = function(mu) -log(-log(mu)), linkinv = function(eta) exp(-exp(-eta)),
  mu.eta = function(eta) exp(-eta - exp(-eta)), valideta = function(eta) TRUE, name = "loglog"),
  class = "link-glm")

# log(mu / (mu + theta)), the canonical link of a negative binomial with known theta
negbin_link <- function(theta) structure(list(
  linkfun = function(mu) -log1p(theta / mu), linkinv = function(eta) theta / expm1(-eta),
  mu.eta = function(eta) theta * exp(-eta) / expm1(-eta)^2, valideta = function(eta) all(eta < 0),
  name = "nbcanonical"), class = "link-glm")

# R's family object. `zeta` is the log of the family's parameter (NB's theta, fixed or estimated).
r_family <- function(family, zeta = NULL) {
  theta <- if (!is.null(family$theta)) family$theta else if (!is.null(zeta)) exp(zeta)
  link <- switch(family$link, loglog = loglog_link, nbcanonical = negbin_link(theta),
                 inverse_square = make.link("1/mu^2"), make.link(family$link))
  switch(family$name, binomial = binomial(link), poisson = poisson(link),
         negativebinomial = MASS::negative.binomial(theta, link), gamma = Gamma(link),
         inverse_gaussian = inverse.gaussian(link), gaussian = gaussian(link))
}

parameter_of <- c(negativebinomial = "theta", gamma = "shape", inverse_gaussian = "lambda",
                  gaussian = "precision")
has_parameter <- function(family) family$name %in% names(parameter_of) && is.null(family$theta)
CANONICAL <- c(binomial = "logit", poisson = "log", gaussian = "identity")
is_canonical <- function(family) {
  identical(family$link, unname(CANONICAL[family$name])) || family$link == "nbcanonical"
}

# y (binomial: proportions), trials, and prior weights: they divide the dispersion, or without one
# multiply the log-density
response_of <- function(m, data) {
  y <- eval(as.formula(m$formula)[[2]], data)
  given <- if (is.null(m$weights)) rep(1, NROW(y)) else data[[m$weights]]
  trials <- rep(1, NROW(y))
  if (m$family$name == "binomial") {
    if (is.matrix(y)) {
      trials <- rowSums(y)
      y <- y[, 1] / trials
    } else if (is.factor(y)) y <- as.numeric(as.integer(y) != 1)
    else if (!is.null(m$weights) && any(y > 0 & y < 1)) {
      trials <- given
      given <- rep(1, length(y))
    }
  }
  list(y = as.numeric(y), trials = trials, weights = given)
}

# Log-density of each row with all constants, at means mu (a matrix: one column a node).
log_density <- function(family, r, mu, zeta = 0) {
  dispersed <- family$name %in% c("gamma", "inverse_gaussian", "gaussian")
  phi <- (if (!is.null(family$theta)) family$theta else exp(zeta)) * (if (dispersed) r$weights else 1)
  value <- switch(family$name,
    binomial = dbinom(round(r$y * r$trials), r$trials, mu, log = TRUE),
    poisson = dpois(r$y, mu, log = TRUE),
    negativebinomial = dnbinom(r$y, size = phi, mu = mu, log = TRUE),
    gamma = dgamma(r$y, phi, scale = mu / phi, log = TRUE),
    inverse_gaussian = ifelse(mu > 0, .5 * log(phi / (2 * pi * r$y^3)) -
                                phi * (r$y / mu - 1)^2 / (2 * r$y), NA),
    gaussian = dnorm(r$y, mu, 1 / sqrt(phi), log = TRUE))
  if (dispersed) value else r$weights * value
}

# Variance of a row with one trial and weight 1 is dispersion * V(mu).
dispersion_of <- function(family, zeta) {
  if (family$name %in% c("gamma", "inverse_gaussian", "gaussian")) exp(-zeta) else 1
}
sigma_of <- function(family, zeta) {
  if (family$name %in% c("gamma", "inverse_gaussian", "gaussian")) exp(-zeta / 2) else 1
}

# d log-density / d eta, and weights w of the determinant: Fisher's or the observed ones. The latter
# by Richardson's extrapolation of central differences of the former.
row_terms <- function(family, r, eta, zeta) {
  object <- r_family(family, zeta)
  total <- r$weights * r$trials / dispersion_of(family, zeta)
  score <- function(eta) {
    mu <- object$linkinv(eta)
    total * (r$y - mu) * object$mu.eta(eta) / object$variance(mu)
  }
  slope <- function(h) (score(eta - h) - score(eta + h)) / (2 * h)
  h <- 1e-3 * (if (family$link %in% c("logit", "probit", "cloglog", "loglog", "cauchit", "log")) 1
               else abs(eta))
  list(score = score(eta), expected = total * object$mu.eta(eta)^2 / object$variance(object$linkinv(eta)),
       observed = (64 * slope(h / 4) - 20 * slope(h / 2) + slope(h)) / 45)
}
