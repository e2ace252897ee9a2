# The likelihood of a linear model with a residual covariance by dense algebra, with the coefficients and sigma
# profiled out, and its tight optimum. V = Z Lambda Lambda' Z' + D C D, D the relative standard deviations.

# Coefficients of an autoregression with these partial autocorrelations.
levinson <- function(partial) {
  out <- numeric()
  for (last in partial) out <- c(out - last * rev(out), last)
  out
}

# "kind(covariates | group, options)" -> its parts
residual_call <- function(text) {
  e <- str2lang(text)
  inside <- if (length(e) > 1) e[[2]]
  bar <- is.call(inside) && identical(inside[[1]], as.name("|"))
  covariates <- setdiff(all.vars(if (bar) inside[[2]] else inside), character())
  options <- as.list(e)[-1]
  options <- options[nzchar(names(options))]
  list(kind = as.character(e[[1]]), options = options, covariates = covariates, group = if (bar) all.vars(inside[[3]]) else character())
}

# text -> list of n parameters, start, matrix or vector at x, values on the natural scale
correlation_of <- function(text, data) {
  n <- nrow(data)
  if (is.null(text)) return(list(k = 0, start = numeric(), at = function(x) diag(n), natural = function(x) numeric()))
  p <- residual_call(text)
  g <- as.character(data[[p$group]])
  same <- outer(g, g, "==")
  order <- ave(seq_len(n), g, FUN = seq_along)
  apart <- if (length(p$covariates)) as.matrix(dist(data[p$covariates])) else abs(outer(order, order, "-"))
  apart <- unname(apart)
  size <- max(table(g))
  within <- function(R) ifelse(same, R, 0)
  one <- function(start, natural, R) list(k = 1, start = start, natural = natural, at = function(x) within(R(natural(x))))
  nugget <- "nugget" %in% names(p$options)
  decay <- function(power) {
    start <- c(log(mean(apart[same & apart > 0])), if (nugget) -2)
    list(k = length(start), start = start, natural = function(x) c(exp(x[1]), if (nugget) plogis(x[2])),
         at = function(x) within({
           R <- exp(-(apart / exp(x[1]))^power) * if (nugget) 1 - plogis(x[2]) else 1
           R[apart == 0] <- 1
           R
         }))
  }
  switch(p$kind,
    arma = {
      orders <- c(p = 0, q = 0)
      orders[names(p$options)] <- unlist(p$options)
      ar <- seq_len(orders[["p"]])
      parts <- function(x) list(ar = levinson(tanh(x[ar])), ma = -levinson(tanh(x[setdiff(seq_along(x), ar)])))
      list(k = sum(orders), start = rep(.1, sum(orders)), natural = function(x) unlist(parts(x), use.names = FALSE),
           at = function(x) {
             own <- parts(x)
             within(matrix(ARMAacf(own$ar, own$ma, lag.max = max(apart))[apart + 1], n))
           })
    },
    ar1 = one(.3, tanh, function(rho) rho^apart),
    car1 = one(0, plogis, function(phi) phi^apart),
    cs = one(0, function(x) (1 + 1 / (size - 1)) * plogis(x) - 1 / (size - 1),
             function(rho) { R <- matrix(rho, n, n); diag(R) <- 1; R }),
    exp = decay(1),
    gau = decay(2),
    us = {
      pairs <- which(lower.tri(diag(size)), arr.ind = TRUE)
      full <- function(x) { L <- diag(size); L[pairs] <- x; cov2cor(tcrossprod(L)) }
      list(k = nrow(pairs), start = rep(.3, nrow(pairs)), natural = function(x) full(x)[pairs],
           at = function(x) within(full(x)[cbind(rep(order, n), rep(order, each = n))]))
    })
}

variance_of <- function(text, data) {
  if (is.null(text)) return(list(k = 0, start = numeric(), at = function(x, fitted) 1, natural = function(x) numeric()))
  if (startsWith(text, "~")) text <- sprintf("ident(1 | %s)", trimws(sub("~", "", text)))
  e <- str2lang(text)
  if (identical(e[[1]], as.name("*"))) {
    parts <- lapply(as.list(e)[-1], function(part) variance_of(deparse(part), data))
    first <- seq_len(parts[[1]]$k)
    return(list(k = parts[[1]]$k + parts[[2]]$k, reference = parts[[1]]$reference, start = c(parts[[1]]$start, parts[[2]]$start), fitted = FALSE,
                names = c(parts[[1]]$names, parts[[2]]$names),
                at = function(x, fitted) parts[[1]]$at(x[first], fitted) * parts[[2]]$at(x[-first], fitted),
                natural = function(x) c(parts[[1]]$natural(x[first]), parts[[2]]$natural(x[-first]))))
  }
  p <- residual_call(text)
  use_fitted <- identical(p$covariates, "fitted")
  v <- function(fitted) if (use_fitted) fitted else data[[p$covariates]]
  strata <- if (length(p$group)) factor(data[[p$group]])  # nlme's first stratum is that of the first row
  by <- if (is.null(strata)) rep(1, nrow(data)) else as.integer(strata)
  k <- max(by)
  c(list(fitted = use_fitted, reference = if (p$kind == "ident") levels(strata)[1], names = if (!is.null(strata)) if (p$kind == "ident") levels(strata)[-1] else levels(strata)),
    switch(p$kind,
      ident = list(k = k - 1, start = rep(0, k - 1), at = function(x, fitted) exp(c(0, x))[by], natural = exp),
      power = list(k = k, start = rep(.1, k), at = function(x, fitted) abs(v(fitted))^x[by], natural = identity),
      exp = list(k = k, start = rep(.01, k), at = function(x, fitted) exp(x[by] * v(fitted)), natural = identity),
      fixed = list(k = 0, start = numeric(), at = function(x, fitted) sqrt(abs(v(fitted))), natural = function(x) numeric())))
}

residual_problem <- function(m, data) {
  formula <- as.formula(m$formula, env = globalenv())
  mixed <- length(lme4::findbars(formula)) > 0
  shell <- if (mixed) shell_of(list(formula = m$formula), data)
  fixed <- lme4::nobars(formula)
  frame <- model.frame(fixed, data)
  attr(data, "formula") <- NULL
  # rows of different outermost groups are independent
  group <- if (mixed) names(shell@cnms)[length(shell@cnms)] else residual_call(
    if (is.null(m$correlation)) "none(1)" else m$correlation)$group
  group <- if (mixed) shell@flist[[sub("[.][0-9]+$", "", group)]] else if (length(group)) data[[group]] else seq_len(nrow(data))
  list(m = m, blocks = unname(split(seq_len(nrow(data)), as.character(group))), data = data, fixed = fixed, shell = shell, y = model.response(frame), X = model.matrix(fixed, frame),
       Z = if (mixed) as.matrix(t(lme4::getME(shell, "Zt"))),
       theta = if (mixed) unname(lme4::getME(shell, "theta")) else numeric(),
       lambda = if (mixed) list(Lambdat = lme4::getME(shell, "Lambdat"), Lind = lme4::getME(shell, "Lind")),
       correlation = correlation_of(m$correlation, as.data.frame(data)), variance = variance_of(m$variance, as.data.frame(data)))
}

# Everything at a parameter vector: theta, correlation, variance. `fitted` are those of the variance function.
residual_state <- function(p, par, fitted) {
  k <- length(p$theta)
  d <- p$variance$at(par[k + p$correlation$k + seq_len(p$variance$k)], fitted)
  R <- p$correlation$at(par[k + seq_len(p$correlation$k)]) * outer(rep_len(d, length(p$y)), rep_len(d, length(p$y)))
  ZL <- if (k) p$Z %*% as.matrix(Lambda_at(p$lambda, par[seq_len(k)]))
  V <- if (k) R + tcrossprod(ZL) else R
  roots <- lapply(p$blocks, function(i) chol(V[i, i, drop = FALSE]))
  by_block <- function(x, transpose) {
    x <- as.matrix(x)
    for (g in seq_along(roots)) {
      i <- p$blocks[[g]]
      x[i, ] <- backsolve(roots[[g]], x[i, , drop = FALSE], transpose = transpose)
    }
    x
  }
  white <- function(x) by_block(x, TRUE)
  Xw <- white(p$X)
  yw <- white(p$y)
  XtX <- crossprod(Xw)
  beta <- solve(XtX, crossprod(Xw, yw))
  e <- yw - Xw %*% beta
  n <- length(p$y)
  q <- ncol(p$X)
  reml <- p$m$method == "REML"
  df <- if (reml) n - q else n
  s2 <- sum(e^2) / df
  ll <- -.5 * (df * (log(2 * pi * s2) + 1) + 2 * sum(log(unlist(lapply(roots, diag)))) +
                 if (reml) as.numeric(determinant(XtX)$modulus) else 0)
  list(log_likelihood = ll, beta = as.vector(beta), sigma = sqrt(s2), XtX_inv = solve(XtX), R = R, ZL = ZL, back = function(x) by_block(x, FALSE),
       white = as.vector(e), d = rep_len(d, n))
}

# Modes of the random effects and fitted values of the rows.
residual_modes <- function(p, par, state) {
  marginal <- as.vector(p$X %*% state$beta)
  if (is.null(state$ZL)) return(list(b = NULL, fitted = marginal, marginal = marginal))
  u <- crossprod(state$ZL, state$back(state$white))
  b <- as.vector(as.matrix(Lambda_at(p$lambda, par[seq_along(p$theta)])) %*% u)
  list(b = b, marginal = marginal, fitted = marginal + as.vector(p$Z %*% b))
}

residual_tight <- function(m, data, fitted = NULL) {
  p <- residual_problem(m, data)
  start <- c(p$theta, p$correlation$start, p$variance$start)
  if (is.null(fitted)) fitted <- fitted(lm(p$y ~ p$X - 1))
  fn_at <- function(fitted) function(par) {
    v <- tryCatch(-residual_state(p, par, fitted)$log_likelihood, error = function(e) NA)
    if (is.finite(v)) v else 1e10
  }
  fn <- fn_at(fitted)
  gr <- function(par) numDeriv::grad(fn, par)
  from_at <- function(fn, par) nlminb(par, fn, function(x) numDeriv::grad(fn, x), control = list(rel.tol = 1e-14))$par
  from <- function(par) nlminb(par, fn, gr, control = list(rel.tol = 1e-14, eval.max = 500, iter.max = 300))
  if (!length(start)) return(list(p = p, par = numeric(), value = fn(start), gradient = 0, hessian = matrix(0, 0, 0), fitted = fitted))
  first <- from(start)
  set.seed(1)
  second <- from(first$par + .3 * rnorm(length(start)))
  strong <- start  # a strong correlation may be another minimum
  strong[length(p$theta) + seq_len(p$correlation$k)] <- p$correlation$start + 4
  third <- if (p$correlation$k == 1) from(strong) else second
  tried <- list(first, second, third)
  found <- tried[[which.min(vapply(tried, `[[`, 0, "objective"))]]
  par <- found$par
  H <- numDeriv::hessian(fn, par)
  for (i in 1:60) {  # the variance's fitted values are those of the fit
    for (j in 1:2) par <- par - solve(H, gr(par))
    if (max(abs(gr(par))) > 1e-4) {
      par <- from_at(fn, par)
      H <- numDeriv::hessian(fn, par)
    }
    if (!isTRUE(p$variance$fitted)) break
    now <- residual_modes(p, par, residual_state(p, par, fitted))$fitted
    change <- max(abs(now - fitted)) / max(abs(now))
    fitted <- now
    fn <- fn_at(fitted)
    if (change < 1e-10) break
  }
  for (j in 1:2) par <- par - solve(H, gr(par))
  list(p = p, par = par, value = fn(par), gradient = gr(par), hessian = numDeriv::hessian(fn, par), fitted = fitted,
       restart_spread = abs(first$objective - second$objective))
}
