# The log-density of one row of each family, written from its formula: the optimum of glmmTMB must have
# this likelihood. phi = exp(predictor of the dispersion); of gaussian and t the standard deviation
# (scale). psi are further parameters, as glmmTMB has them.

log_one_minus_exp <- function(a) ifelse(a > -log(2), log(-expm1(a)), log1p(-exp(a)))  # a < 0

# Conway-Maxwell-Poisson with mean mu: f(y) = lambda^y / y!^nu / Z(lambda, nu), lambda from the mean.
log_compois <- function(y, mu, nu) {
  one <- function(y, mu, nu) {
    top <- ceiling(mu + 200 + 40 * sqrt(mu / nu))
    j <- 0:top
    weights_at <- function(log_lambda) {
      a <- j * log_lambda - nu * lgamma(j + 1)
      list(a = a, log_Z = max(a) + log(sum(exp(a - max(a)))))
    }
    gap <- function(log_lambda) { s <- weights_at(log_lambda); sum(j * exp(s$a - s$log_Z)) - mu }
    near <- nu * log(max(mu + (nu - 1) / (2 * nu), .01))
    log_lambda <- uniroot(gap, near + c(-1, 1), extendInt = "upX", tol = 1e-13)$root
    y * log_lambda - nu * lgamma(y + 1) - weights_at(log_lambda)$log_Z
  }
  mapply(one, y, mu, nu)
}

# Tweedie, 1 < p < 2: a Poisson number N of Gamma amounts; summed over N.
log_tweedie <- function(y, mu, phi, p) {
  rate <- mu^(2 - p) / (phi * (2 - p))
  shape <- (2 - p) / (p - 1)
  scale <- phi * (p - 1) * mu^(p - 1)
  one <- function(y, rate, scale) {
    if (y == 0) return(-rate)
    N <- 1:ceiling(200 + 5 * (rate + y / (shape * scale)))
    a <- dpois(N, rate, log = TRUE) + dgamma(y, N * shape, scale = scale, log = TRUE)
    max(a) + log(sum(exp(a - max(a))))
  }
  mapply(one, y, rate, scale)
}

log_genpois <- function(y, mu, phi) {  # variance mu phi
  theta <- mu / sqrt(phi)
  lambda <- 1 - 1 / sqrt(phi)
  log(theta) + (y - 1) * log(theta + lambda * y) - theta - lambda * y - lgamma(y + 1)
}

log_betabinomial <- function(y, m, a, b) lchoose(m, y) + lbeta(y + a, m - y + b) - lbeta(a, b)

# log of Bell's number over y!, by Dobinski's sum
log_bell <- function(y) vapply(y, function(n) {
  k <- 1:(50 + 3 * n)
  a <- n * log(k) - lgamma(k + 1)
  if (n == 0) 0 else max(a) + log(sum(exp(a - max(a)))) - 1 - lgamma(n + 1)
}, 0)
lambert <- function(x) vapply(x, function(x)
  exp(uniroot(function(l) l + exp(l) - log(x), c(-50, 50), tol = 1e-15)$root), 0)

base_log_density <- function(family, y, m, eta, mu, phi, psi) {
  untruncated <- sub("truncated_", "", family)
  at <- function(y) switch(untruncated,
    gaussian = dnorm(y, mu, phi, log = TRUE),
    t_family = dt((y - mu) / phi, exp(psi), log = TRUE) - log(phi),
    binomial = dbinom(y, m, mu, log = TRUE),
    betabinomial = log_betabinomial(y, m, mu * phi, (1 - mu) * phi),
    beta_family = ifelse(y > 0, dbeta(ifelse(y > 0, y, .5), mu * phi, (1 - mu) * phi, log = TRUE), -Inf),
    ordbeta = ifelse(y == 0, plogis(psi[1] - eta, log.p = TRUE), ifelse(y == 1, plogis(eta - psi[2], log.p = TRUE),
      log(plogis(eta - psi[1]) - plogis(eta - psi[2])) +
        dbeta(ifelse(y > 0 & y < 1, y, .5), mu * phi, (1 - mu) * phi, log = TRUE))),
    Gamma = , ziGamma = ifelse(y > 0, dgamma(ifelse(y > 0, y, 1), phi, scale = mu / phi, log = TRUE), -Inf),
    poisson = dpois(y, mu, log = TRUE),
    nbinom1 = dnbinom(y, mu / phi, mu = mu, log = TRUE),
    nbinom2 = dnbinom(y, phi, mu = mu, log = TRUE),
    genpois = log_genpois(y, mu, phi),
    compois = log_compois(y, mu, 1 / phi),
    tweedie = log_tweedie(y, mu, phi, 1 + plogis(psi)),
    lognormal = {  # mean mu and standard deviation phi of y itself
      v <- log1p((phi / mu)^2)
      ifelse(y > 0, dlnorm(ifelse(y > 0, y, 1), log(mu) - v / 2, sqrt(v), log = TRUE), -Inf)
    },
    skewnormal = {  # mean mu, standard deviation phi, shape psi
      delta <- psi / sqrt(1 + psi^2)
      omega <- phi / sqrt(1 - 2 * delta^2 / pi)
      z <- (y - mu + omega * delta * sqrt(2 / pi)) / omega
      log(2) + dnorm(z, log = TRUE) - log(omega) + pnorm(psi * z, log.p = TRUE)
    },
    bell = { w <- lambert(mu); y * log(w) - exp(w) + 1 + log_bell(y) },
    nbinom12 = dnbinom(y, mu / (phi + mu / exp(psi)), mu = mu, log = TRUE),  # variance mu (1 + phi + mu / exp(psi))
    inverse_gaussian = ifelse(y > 0, .5 * log(phi / (2 * pi * y^3)) - phi * (y - mu)^2 / (2 * mu^2 * y), -Inf))
  if (untruncated == family) return(at(y))
  ifelse(y > 0, at(y) - log_one_minus_exp(at(rep(0, length(y)))), -Inf)
}

# eta_zi NULL: no model of the zeros.
row_log_density <- function(family, y, m, eta, mu, phi, psi, eta_zi) {
  base <- base_log_density(family, y, m, eta, mu, phi, psi)
  if (is.null(eta_zi)) return(base)
  inflated <- plogis(eta_zi, log.p = TRUE)
  other <- plogis(-eta_zi, log.p = TRUE)
  top <- pmax(inflated, other + base)
  ifelse(y == 0, top + log(exp(inflated - top) + exp(other + base - top)), other + base)
}
