# The marginal likelihood itself, for models with one grouping factor: Gauss-Hermite quadrature with
# so many nodes (100 for one effect, 30 a side for two) that it is exact to rounding. Centre and
# spread of each group's nodes are those of a Laplace fit and stay while parameters move.
marginal_function <- function(p, fit, weights = "observed") {
  shell <- p$shell
  if (length(shell@flist) != 1) return(NULL)
  groups <- as.integer(shell@flist[[1]])
  k <- vapply(shell@cnms, length, 0L)
  d <- sum(k)
  if (d > 2) return(NULL)
  levels <- nlevels(shell@flist[[1]])
  column <- function(level) unlist(lapply(seq_along(k), function(t) shell@Gp[t] + (level - 1) * k[t] + seq_len(k[t])))
  columns <- vapply(seq_len(levels), column, numeric(d))
  columns <- matrix(columns, d)
  rows <- matrix(p$Z[cbind(rep(seq_along(groups), d), as.vector(t(columns[, groups, drop = FALSE])))], ncol = d)
  one <- lme4::GHrule(if (d == 1) 100 else 30)
  at <- as.matrix(expand.grid(rep(list(one[, "z"]), d)))
  log_w <- rowSums(as.matrix(expand.grid(rep(list(log(one[, "w"])), d))))
  state <- state_of(p, fit, weights)
  nodes <- array(0, c(levels, nrow(at), d))
  shift <- matrix(0, levels, nrow(at))
  for (j in seq_len(levels)) {
    C <- solve(chol(as.matrix(state$M[columns[, j], columns[, j]])))
    u <- matrix(fit$u[columns[, j]], nrow(at), d, byrow = TRUE) + at %*% t(C)
    nodes[j, , ] <- u
    shift[j, ] <- log_w + sum(log(abs(diag(C)))) - .5 * rowSums(u^2) + .5 * rowSums(at^2)
  }
  function(par) {
    v <- unpack(p, par, fit)
    T <- as.matrix(Lambda_at(p, v$theta)[columns[, 1], columns[, 1]])
    eta <- matrix(p$offset + as.vector(p$X %*% v$beta), length(groups), nrow(at))
    zT <- rows %*% T
    for (i in seq_len(d)) eta <- eta + zT[, i] * matrix(nodes[, , i], levels)[groups, , drop = FALSE]
    mu <- eta
    mu[] <- r_family(p$family, v$zeta)$linkinv(as.vector(eta))
    density <- quietly(log_density(p$family, p$r, mu, v$zeta))
    density[is.na(density)] <- -Inf  # the mean is outside its range: far in the tail of a node
    terms <- rowsum(density, groups) + shift
    top <- apply(terms, 1, max)
    sum(top + log(rowSums(exp(terms - top))))
  }
}

# Its value at the optima of the approximations and, for small data, its own optimum.
marginal_record <- function(p, fits, tmb) {
  f <- marginal_function(p, tmb)
  if (is.null(f)) return(NULL)
  record <- list(at = lapply(fits, function(fit) f(fit$par)))
  optimise <- all(diag_theta(p, tmb$theta) > 1e-3) && nrow(p$X) * length(p$theta)^2 <= 3000
  if (!optimise) return(record)
  unit <- sqrt(diag(solve(tmb$hessian)))
  found <- polish(function(par) -2 * f(par), tmb$par, unit, steps = 10, tolerance = 1e-7)
  v <- unpack(p, found$par, tmb)
  V <- solve(found$curvature / 2)
  at <- length(v$theta) + seq_along(v$beta)
  stopifnot(found$size < 1e-6)
  c(record, list(log_likelihood = f(found$par), scaled_gradient = found$size, beta = I(v$beta),
                 se = I(sqrt(diag(V))[at]), theta = I(tidy_theta(v$theta, p$shell@cnms, theta_unit(p))),
                 zeta = if (has_parameter(p$family)) v$zeta,
                 se_zeta = if (has_parameter(p$family)) sqrt(V[nrow(V), nrow(V)])))
}
