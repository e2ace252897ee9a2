# Tight optima of cumulative link models: the density of cumulative.cpp on ordinal's and lme4's design, with
# exact gradients; adaptive quadrature by its definition.

ORDINAL_LINKS <- c("logit", "probit", "cloglog", "loglog", "cauchit")

load_cumulative <- function(here, folder) {
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  source <- file.path(folder, "cumulative.cpp")
  fresh <- file.exists(source) && identical(readLines(source), readLines(file.path(here, "cumulative.cpp")))
  if (!fresh || !file.exists(TMB::dynlib(file.path(folder, "cumulative")))) {
    file.copy(file.path(here, "cumulative.cpp"), source, overwrite = TRUE)
    old <- setwd(folder)
    on.exit(setwd(old))
    stopifnot(TMB::compile("cumulative.cpp", flags = "-O1 -w", framework = "TMBad") == 0)
  }
  dyn.load(TMB::dynlib(file.path(folder, "cumulative")))
}

# clm's fit of the fixed part, tight by its own controls; its names, Jacobian of thresholds and start.
fixed_part <- function(m, data) {
  formula <- lme4::nobars(as.formula(m$formula, env = globalenv()))
  data$.w <- if (is.null(m$weights)) 1 else data[[m$weights]]
  assign("reference_data", data, globalenv())
  call <- list(quote(ordinal::clm), formula, data = quote(reference_data), weights = quote(.w), link = m$link,
               threshold = m$threshold, control = ordinal::clm.control(gradTol = 1e-10, maxIter = 200))
  if (!is.null(m$nominal)) call$nominal <- as.formula(m$nominal)
  if (!is.null(m$scale)) call$scale <- as.formula(m$scale)
  quietly(eval(as.call(call), globalenv()))
}

ordinal_problem <- function(m, data) {
  fit <- fixed_part(m, data)
  formula <- lme4::nobars(as.formula(m$formula, env = globalenv()))
  design <- function(f) model.matrix(as.formula(f, env = globalenv()), data)
  frame <- model.frame(formula, data)
  offset <- model.offset(frame)
  mixed <- length(lme4::findbars(as.formula(m$formula))) > 0
  shell <- if (mixed) shell_of(m, data)
  at <- if (mixed) summary(lme4::getME(shell, "Lambdat"))
  y <- model.response(frame)
  stopifnot(is.ordered(y), nlevels(y) == nlevels(droplevels(y)))
  n <- nrow(frame)
  none <- matrix(0, n, 0)
  list(m = m, fit = fit, shell = shell, levels = levels(y), theta = if (mixed) unname(lme4::getME(shell, "theta")),
       data = list(
         link = match(m$link, ORDINAL_LINKS) - 1L, y = as.integer(y) - 1L,
         weights = if (is.null(m$weights)) rep(1, n) else data[[m$weights]],
         offset = if (is.null(offset)) rep(0, n) else offset, scale_offset = rep(0, n),
         X = model.matrix(formula, frame)[, -1, drop = FALSE],
         N = if (is.null(m$nominal)) matrix(1, n, 1, dimnames = list(NULL, "(Intercept)")) else design(m$nominal),
         T = unname(fit$tJac), S = if (is.null(m$scale)) none else design(m$scale)[, -1, drop = FALSE],
         Z = if (mixed) as(t(lme4::getME(shell, "Zt")), "dgCMatrix") else as(Matrix(0, n, 1, sparse = TRUE), "dgCMatrix"),
         row = if (mixed) at$j - 1L else integer(), column = if (mixed) at$i - 1L else integer(),
         which = if (mixed) lme4::getME(shell, "Lind") - 1L else integer()))
}

# Coefficients of clm are by threshold, those of cumulative.cpp by column of the nominal design.
ordinal_start <- function(p) {
  alpha <- matrix(p$fit$alpha, ncol(p$data$T))
  zeta <- if (is.null(p$m$scale)) numeric() else p$fit$zeta
  list(alpha = as.vector(alpha), beta = unname(p$fit$beta), zeta = unname(zeta), theta = .5 * p$theta,
       u = rep(0, ncol(p$data$Z)))
}

ordinal_objective <- function(p, start) {
  start$beta <- if (is.null(start$beta)) numeric() else start$beta
  mixed <- !is.null(p$shell)
  start$theta <- if (mixed) start$theta else numeric()
  TMB::MakeADFun(p$data, start, map = if (!mixed) list(u = factor(NA)), random = if (mixed) "u", DLL = "cumulative",
                 silent = TRUE)
}

# Adaptive quadrature for one scalar random effect: mode and curvature of each level, then Hermite's nodes.
agq_objective <- function(p) {
  d <- p$data
  z <- summary(d$Z)
  z <- z[order(z$i), ]
  stopifnot(nrow(z) == nrow(d$X), all(z$x == 1), ncol(d$S) == 0, ncol(d$N) == 1, length(p$theta) == 1)
  level <- z$j
  F <- list(logit = list(plogis, dlogis, ordinal::glogis), probit = list(pnorm, dnorm, ordinal::gnorm))[[p$m$link]]
  rule <- statmod::gauss.quad(p$m$nodes, "hermite")
  k <- ncol(d$T)
  by_level <- function(x) as.vector(rowsum(x, level))
  value <- function(par) {
    cuts <- c(-Inf, as.vector(d$T %*% par[seq_len(k)]), Inf)
    eta <- d$offset + as.vector(d$X %*% par[k + seq_len(ncol(d$X))])
    tau <- par[length(par)]
    rows <- function(u) {
      high <- cuts[d$y + 2] - eta - tau * u[level]
      low <- cuts[d$y + 1] - eta - tau * u[level]
      prob <- F[[1]](high) - F[[1]](low)
      first <- (F[[2]](low) - F[[2]](high)) / prob
      slope <- function(x) ifelse(is.finite(x), F[[3]](x), 0)
      list(log = d$weights * log(prob), first = d$weights * first,
           second = d$weights * ((slope(high) - slope(low)) / prob - first^2))
    }
    u <- rep(0, max(level))
    for (i in 1:100) {
      r <- rows(u)
      step <- (tau * by_level(r$first) - u) / (1 - tau^2 * by_level(r$second))
      u <- u + pmax(-1, pmin(1, step))
      if (max(abs(step)) < 1e-13) break
    }
    r <- rows(u)
    width <- 1 / sqrt(1 - tau^2 * by_level(r$second))
    logs <- vapply(seq_along(rule$nodes), function(q) {
      v <- u + sqrt(2) * width * rule$nodes[q]
      by_level(rows(v)$log) - v^2 / 2 + log(rule$weights[q]) + rule$nodes[q]^2
    }, u)
    top <- apply(logs, 1, max)
    answer <- -sum(top + log(rowSums(exp(logs - top))) + log(width) - .5 * log(pi))
    attr(answer, "modes") <- list(u = u, width = width)
    answer
  }
  value
}

ordinal_agq <- function(p, first) {
  value <- agq_objective(p)
  fn <- function(x) { v <- quietly(as.numeric(value(x))); if (is.finite(v)) v else 1e10 }
  gr <- function(x) numDeriv::grad(fn, x)
  par <- nlminb(first, fn, gr, control = list(rel.tol = 1e-14))$par
  for (i in 1:4) {
    g <- gr(par)
    H <- numDeriv::hessian(fn, par)
    par <- par - solve(H, g)
  }
  g <- gr(par)
  list(par = par, value = fn(par), gradient = g, hessian = numDeriv::hessian(fn, par), modes = attr(value(par), "modes"))
}

ordinal_tight <- function(m, data) {
  p <- ordinal_problem(m, data)
  start <- ordinal_start(p)
  obj <- ordinal_objective(p, start)
  found <- tighten(obj, obj$par, if (is.null(p$shell)) 1 else 2)
  found$names <- names(obj$par)
  negative <- found$names == "theta" & found$par < 0
  if (any(negative)) {  # the sign of a column of Lambda is free: its diagonal is positive
    flip <- ordinal_signs(p, found$par[found$names == "theta"])
    par <- found$par
    par[found$names == "theta"] <- flip
    found <- c(tighten(obj, par, 0), list(restart = found$restart_spread))
    found$restart_spread <- found$restart
    found$names <- names(obj$par)
  }
  if (!is.null(m$nodes)) {
    laplace <- found
    found <- ordinal_agq(p, laplace$par)
    found$names <- laplace$names
    found$scaled_gradient <- scaled_gradient(found$hessian, found$gradient)
  }
  c(found, list(p = p, obj = obj))
}

ordinal_signs <- function(p, theta) {
  Lambda <- Lambda_at(list(Lambdat = lme4::getME(p$shell, "Lambdat"), Lind = lme4::getME(p$shell, "Lind")), theta)
  signs <- ifelse(Matrix::diag(Lambda) < 0, -1, 1)
  Lambda <- Lambda %*% Matrix::Diagonal(x = signs)
  at <- p$data
  value <- Lambda[cbind(at$row + 1, at$column + 1)]
  as.vector(tapply(value, at$which, `[`, 1))
}
