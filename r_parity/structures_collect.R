# What is kept of a covariance structure: SDs, correlations, ranges, and their standard errors by the delta method.

# Natural parameters of one term at glmmTMB's theta.
natural_of <- function(structure, theta, k, d = NULL) {
  sds <- function(i) list(sd = exp(theta[i]))
  sine <- function(t) t / sqrt(1 + t^2)
  lower <- function(S) { R <- cov2cor(S); R[lower.tri(R)] }
  switch(structure,
    diag = sds(1:k),
    us = {
      L <- diag(k)
      L[upper.tri(L)] <- theta[-(1:k)]  # by row of the lower triangle
      c(sds(1:k), list(correlation = lower(crossprod(L))))
    },
    cs = { a <- 1 / (k - 1); c(sds(1:k), list(correlation = plogis(theta[k + 1]) * (1 + a) - a)) },
    toep = c(sds(1:k), list(correlation = sine(theta[-(1:k)]))),
    ar1 = c(sds(1), list(correlation = sine(theta[2]))),
    ou = c(sds(1), list(rate = exp(theta[2]))),
    exp = , gau = c(sds(1), list(range = exp(theta[2]))),
    mat = c(sds(1), list(range = exp(theta[2]), smoothness = exp(theta[3]))),
    rr = {
      L <- matrix(0, k, d)
      L[cbind(1:d, 1:d)] <- theta[1:d]
      at <- d
      for (j in seq_len(d)) for (i in seq_len(k)) if (i > j) { at <- at + 1; L[i, j] <- theta[at] }
      S <- tcrossprod(L)
      list(sd = sqrt(diag(S)), correlation = lower(S))
    })
}

# Rank of a reduced-rank block of k effects with so many parameters.
rank_of <- function(k, parameters) which(k * seq_len(k) - seq_len(k) * (seq_len(k) - 1) / 2 == parameters)[1]

structured_natural <- function(m, fit, V, names) {
  answer <- list()
  for (component in c("cond", "zi")) {
    key <- if (component == "cond") "theta" else "thetazi"
    blocks <- fit$modelInfo$reStruc[[paste0(component, "ReStruc")]]
    if (!length(blocks)) next
    theta <- unname(fit$obj$env$parList(fit$fit$par, fit$fit$parfull)[[key]])
    map <- if (is.null(m$map[[key]])) seq_along(theta) else m$map[[key]]
    Vt <- V[names == key, names == key, drop = FALSE][map, map, drop = FALSE]
    at <- 0
    for (b in blocks) {
      own <- at + seq_len(b$blockNumTheta)
      at <- at + b$blockNumTheta
      structure <- names(b$blockCode)
      k <- b$blockSize
      d <- if (structure == "rr") rank_of(k, length(own))
      f <- function(x) natural_of(structure, x, k, d)
      values <- f(theta[own])
      term <- list(structure = structure)
      for (key2 in base::names(values)) {
        J <- numDeriv::jacobian(function(x) f(x)[[key2]], theta[own])
        term[[key2]] <- list(values = I(values[[key2]]), se = I(sqrt(pmax(0, diag(J %*% Vt[own, own] %*% t(J))))))
      }
      answer <- c(answer, list(term))
    }
  }
  answer
}

# Terms with many effects keep the first, without their correlations.
fewer_effects <- function(term, kept = 12) {
  if (length(term$names) <= kept) return(term)
  first <- seq_len(kept)
  term$names <- I(term$names[first])
  term$sd <- I(term$sd[first])
  term$correlation <- NULL
  for (key in intersect(c("modes", "sd_modes", "full_sd_modes"), names(term)))
    term[[key]] <- term[[key]][, first, drop = FALSE]
  for (key in c("sum_modes", "sum_of_squares_modes", "sum_of_squares_sd_modes")) term[[key]] <- I(term[[key]][first])
  term
}

structured_record <- function(m, found) {
  fit <- found$fit
  record <- several_record(m, found)
  record$natural <- structured_natural(m, fit, record$vcov, found$names)
  shown <- glmmTMB::VarCorr(fit)$cond
  for (i in seq_along(record$natural)) {  # held to glmmTMB's own reading
    if (i > length(shown)) break
    gap <- max(abs(attr(shown[[i]], "stddev") / record$natural[[i]]$sd$values - 1))
    stopifnot(gap < 1e-8)
  }
  record$terms <- lapply(record$terms, fewer_effects)
  record
}
