# Tight optima of the two Laplace approximations.
#   expected  lme4's: Fisher weights in the determinant. Its own deviance function, with its own
#             iteration continued until the modes stand still, so that the factor is the one at the
#             mode; Newton steps on Richardson's extrapolation of its central differences.
#   observed  glmmTMB's: the observed Hessian. By TMB with the density of glmm.cpp on lme4's
#             structure: exact gradient, Newton steps with differences of it as curvature.
# For canonical links the two are one.

CODES <- list(
  family = c("binomial", "poisson", "negativebinomial", "gamma", "inverse_gaussian", "gaussian"),
  link = c("identity", "log", "logit", "probit", "cloglog", "loglog", "cauchit", "inverse", "sqrt",
           "inverse_square", "nbcanonical"))

quietly <- function(expr) suppressMessages(suppressWarnings(expr))

# A linear mixed model with the same right-hand side: X, Z, Lambda, names and order of terms.
shell_of <- function(m, data) {
  f <- as.formula(m$formula, env = globalenv())
  f[[2]] <- quote(.shell)
  set.seed(1)
  data$.shell <- rnorm(nrow(data))
  assign("shell_data", data, globalenv())
  control <- lmerControl(optimizer = NULL, calc.derivs = FALSE, check.rankX = "silent.drop.cols",
                         check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore",
                         check.conv.singular = "ignore")
  contrasts <- if (!is.null(m$contrasts)) lapply(m$contrasts, function(k) paste0("contr.", k))
  quietly(lmer(f, data = shell_data, REML = FALSE, control = control, contrasts = contrasts))
}

problem_of <- function(m, data) {
  shell <- shell_of(m, data)
  data <- data[rownames(model.frame(shell)), , drop = FALSE]
  Lambda <- getME(shell, "Lambdat")
  at <- summary(Lambda)  # by column, as Lambdat@x and Lind are
  offset <- model.offset(model.frame(shell))
  offset <- if (is.null(offset)) rep(0, nrow(data)) else offset
  if (!is.null(m$offset)) offset <- offset + data[[m$offset]]
  list(m = m, family = m$family, shell = shell, data = data, X = getME(shell, "X"),
       Z = t(getME(shell, "Zt")), Lambdat = Lambda, Lind = getME(shell, "Lind"),
       row = at$j, column = at$i, theta = unname(getME(shell, "theta")), offset = offset,
       r = response_of(m, data))
}

Lambda_at <- function(p, theta) {
  Lt <- p$Lambdat
  Lt@x <- theta[p$Lind]
  t(Lt)
}

# size of theta[i] when its effect moves eta by about 1
theta_unit <- function(p) {
  squares <- colSums(p$Z^2)[p$row]
  as.vector(sqrt(nrow(p$Z) / rowsum(squares, p$Lind)))
}

# -- TMB --------------------------------------------------------------------------------------------
load_template <- function(here, folder = file.path(tempdir(), "template")) {
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  source <- file.path(folder, "glmm.cpp")
  fresh <- file.exists(source) && identical(readLines(source), readLines(file.path(here, "glmm.cpp")))
  if (!fresh || !file.exists(TMB::dynlib(file.path(folder, "glmm")))) {
    file.copy(file.path(here, "glmm.cpp"), source, overwrite = TRUE)
    old <- setwd(folder)
    on.exit(setwd(old))
    stopifnot(TMB::compile("glmm.cpp", flags = "-O1 -w", framework = "TMBad") == 0)
  }
  dyn.load(TMB::dynlib(file.path(folder, "glmm")))
}

start_of <- function(p) {
  family <- r_family(p$family, if (has_parameter(p$family)) log(5) else NULL)
  start <- p$m$start_beta
  if (is.null(start)) start <- quietly(unname(coef(glm.fit(
    p$X, p$r$y, p$r$weights * p$r$trials, family = family, offset = p$offset,
    mustart = p$m$mustart, control = list(maxit = 100)))))
  eta <- p$offset + as.vector(p$X %*% start)
  size <- if (p$family$link %in% c("identity", "inverse", "inverse_square", "sqrt")) .1 * mean(abs(eta)) else .5
  mu <- family$linkinv(eta)
  pearson <- (p$r$y - mu)^2 / family$variance(mu)
  zeta <- switch(p$family$name, negativebinomial = log(if (is.null(p$family$theta)) 5 else p$family$theta),
                 gamma = , inverse_gaussian = , gaussian = -log(mean(pearson)), 0)
  if (!is.null(p$m$start_theta)) size <- p$m$start_theta
  list(theta = p$theta * size * theta_unit(p), beta = start, zeta = zeta)
}

tmb_objective <- function(p, start) {
  code <- function(kind, name) match(name, CODES[[kind]]) - 1L
  TMB::MakeADFun(
    data = list(family = code("family", p$family$name), link = code("link", p$family$link),
                y = p$r$y, weights = p$r$weights, trials = p$r$trials, offset = p$offset, X = p$X,
                Z = as(p$Z, "dgCMatrix"), row = p$row - 1L, column = p$column - 1L, which = p$Lind - 1L),
    parameters = list(theta = start$theta, beta = start$beta, zeta = start$zeta,
                      u = rep(0, ncol(p$Z))),
    map = if (!has_parameter(p$family)) list(zeta = factor(NA)), random = "u", DLL = "glmm",
    silent = TRUE, inner.control = list(tol = 1e-12, tol10 = 0, maxit = 200))
}

unpack <- function(p, par, start) {
  k <- length(p$theta)
  beta <- seq_len(ncol(p$X))
  list(theta = par[seq_len(k)], beta = par[k + beta],
       zeta = if (has_parameter(p$family)) par[[length(par)]] else start$zeta)
}

jacobian <- function(gradient, par, unit) {
  k <- length(par)
  H <- vapply(seq_len(k), function(a) {
    step <- function(h) {
      e <- h * unit * (seq_len(k) == a)
      (gradient(par + e) - gradient(par - e)) / (2 * h * unit[a])
    }
    (64 * step(.01) - 20 * step(.02) + step(.04)) / 45
  }, numeric(k))
  H <- matrix(H, k)
  (H + t(H)) / 2
}

# A step that lowers the objective whatever the curvature: eigenvalues reflected, null directions
# (templates that have lost rank) left alone.
newton_step <- function(H, gradient, unit) {
  spectrum <- eigen(H * outer(unit, unit), symmetric = TRUE)
  size <- abs(spectrum$values)
  keep <- size > 1e-9 * max(size)
  V <- spectrum$vectors[, keep, drop = FALSE]
  -as.vector(V %*% (crossprod(V, gradient * unit) / size[keep])) * unit
}

# Largest component of the gradient of the log-likelihood in units of its standard error.
scaled_gradient <- function(H, gradient) {
  H_inv <- tryCatch(solve(H), error = function(e) NULL)
  spread <- if (is.null(H_inv)) 1 / sqrt(pmax(diag(H), 1e-8)) else sqrt(pmax(0, diag(H_inv)))
  max(abs(gradient) * spread)
}

tight_tmb <- function(p, restarts = 3) {
  start <- start_of(p)
  obj <- tmb_objective(p, start)
  safe <- function(f) function(x) { v <- quietly(f(x)); if (all(is.finite(v))) v else rep(1e10, length(v)) }
  fn <- safe(obj$fn)
  gr <- safe(function(x) as.vector(obj$gr(x)))
  from <- function(par) {
    obj$env$last.par.best <- obj$env$last.par <- obj$env$par  # modes start from 0
    quietly(nlminb(par, fn, gr, scale = 1 / rep_len(unit, length(par)),
                   control = list(eval.max = 2000, iter.max = 1000, rel.tol = 1e-14, x.tol = 1e-12)))
  }
  unit <- c(theta_unit(p) * max(1e-3, abs(start$theta / theta_unit(p))), pmax(abs(start$beta), 1e-3),
            if (has_parameter(p$family)) 1)
  found <- list(from(obj$par))
  set.seed(1)
  k <- length(p$theta)
  for (i in seq_len(restarts)) {
    par <- found[[1]]$par
    far <- seq_len(k)
    par[far] <- par[far] * exp(rnorm(k)) + .1 * abs(rnorm(k)) * unit[far]
    found <- c(found, list(from(par)))
  }
  values <- vapply(found, `[[`, 0, "objective")
  par <- unname(found[[which.min(values)]]$par)
  value <- min(values)
  for (i in 1:6) {
    g <- gr(par)
    size <- pmax(abs(par), 1e-2 * unit)
    H <- jacobian(gr, par, if (i == 1) .1 * size else pmin(.1 * size, pmax(1e-6 * size, spread)))
    spread <- 1 / sqrt(pmax(diag(H), 1e-12))
    gradient <- scaled_gradient(H, g)
    if (i > 1 && gradient < 1e-9) break
    step <- newton_step(H, g, spread)
    new <- fn(par + step)
    if (new > value + 1e-9 * abs(value)) break
    par <- par + step
    value <- new
  }
  obj$fn(par)
  u <- obj$env$last.par[names(obj$env$last.par) == "u"]
  c(unpack(p, par, start), list(par = par, u = unname(u), log_likelihood = -value, hessian = H,
                                gradient = scaled_gradient(H, gr(par)), restart_spread = diff(range(values)),
                                obj = obj, start = start))
}

# -- lme4 -------------------------------------------------------------------------------------------
lme4_caller <- function(m, data, zeta) {
  assign("reference_data", data, globalenv())
  assign("reference_formula", as.formula(m$formula, env = globalenv()), globalenv())
  assign("reference_family", r_family(m$family, zeta), globalenv())
  call <- list(quote(lme4::glmer), quote(reference_formula), data = quote(reference_data),
               family = quote(reference_family))
  if (!is.null(m$weights)) call$weights <- as.name(m$weights)
  if (!is.null(m$offset)) call$offset <- as.name(m$offset)
  if (!is.null(m$mustart)) call$mustart <- m$mustart
  if (!is.null(m$contrasts)) call$contrasts <- lapply(m$contrasts, function(k) paste0("contr.", k))
  function(...) eval(as.call(c(call, list(...))), globalenv())
}

CHECKS_OFF <- list(check.conv.singular = "ignore", check.nobs.vs.nRE = "ignore",
                   check.nobs.vs.nlev = "ignore", check.rankX = "silent.drop.cols",
                   calc.derivs = FALSE)

# lme4's Laplace deviance with the factor at the mode: function of c(theta, beta[, zeta]).
lme4_deviance <- function(fit_with, nAGQ = 1L, has_zeta = FALSE, inner = 1e-12) {
  control <- do.call(glmerControl, c(CHECKS_OFF, list(tolPwrss = inner, optCtrl = list(maxfun = 200))))
  devfun <- quietly(fit_with(devFunOnly = TRUE, nAGQ = nAGQ, control = control))
  rho <- environment(devfun)
  pp <- rho$pp
  resp <- rho$resp
  value <- function(par) {
    if (has_zeta) {
      resp$setTheta(exp(par[[length(par)]]))
      par <- par[-length(par)]
    }
    first <- devfun(par)
    if (nAGQ > 1L) return(first)
    u <- pp$u(1)
    for (i in 1:200) {
      lme4:::RglmerWrkIter(pp, resp, uOnly = TRUE)
      moved <- max(abs(pp$u(1) - u))
      u <- pp$u(1)
      if (moved < 1e-13 * max(1, abs(u))) break
    }
    pp$updateXwts(resp$sqrtWrkWt())
    pp$updateDecomp()
    resp$Laplace(pp$ldL2(), pp$ldRX2(), pp$sqrL(1))
  }
  list(value = value, rho = rho, pp = pp, resp = resp, devfun = devfun)
}

# Gradient and Hessian by central differences at h and 2 h, extrapolated; h in units of `unit`.
differences <- function(f, par, unit, h, hessian = TRUE) {
  k <- length(par)
  at <- function(i, a, j = i, b = 0) {
    x <- par
    x[i] <- x[i] + a * unit[i]
    x[j] <- x[j] + b * unit[j]
    f(x)
  }
  f0 <- f(par)
  points <- sapply(seq_len(k), function(i) c(at(i, 2 * h), at(i, h), at(i, -h), at(i, -2 * h)))
  gradient <- (8 * (points[2, ] - points[3, ]) - (points[1, ] - points[4, ])) / (12 * h)
  if (!hessian) return(list(value = f0, gradient = gradient / unit))
  second <- function(row, h) (points[row, ] - 2 * f0 + points[5 - row, ]) / h^2
  H <- diag((4 * second(2, h) - second(1, 2 * h)) / 3, k)
  for (i in seq_len(k)) for (j in seq_len(i - 1)) {
    mixed <- function(row, h) {
      (at(i, h, j, h) + at(i, -h, j, -h) - points[row, i] - points[5 - row, i] -
         points[row, j] - points[5 - row, j] + 2 * f0) / (2 * h^2)
    }
    H[i, j] <- H[j, i] <- (4 * mixed(2, h) - mixed(1, 2 * h)) / 3
  }
  list(value = f0, gradient = gradient / unit, hessian = H / outer(unit, unit))
}

# Newton from a good start. With `curvature` given only gradients are differenced.
polish <- function(f, par, unit, curvature = NULL, steps = 8, h = .05, tolerance = 1e-6) {
  trace <- numeric()
  for (i in seq_len(steps)) {
    d <- differences(f, par, unit, h, hessian = is.null(curvature))
    H <- if (is.null(curvature)) d$hessian else curvature
    size <- scaled_gradient(H / 2, d$gradient / 2)
    trace <- c(trace, size)
    if (size < tolerance) break
    spread <- 1 / sqrt(pmax(abs(diag(H)) / 2, 1e-12))
    par <- par + newton_step(H, d$gradient, spread)
  }
  d <- c(d, list(par = par, curvature = H, size = size, trace = trace))
  d
}

tight_lme4 <- function(p, tmb, nAGQ = 1L) {
  zeta <- has_parameter(p$family)
  fit_with <- lme4_caller(p$m, p$data, tmb$zeta)
  f <- NULL
  # rounding keeps lme4's inner iteration from small tolerances in some of the models; the iteration
  # that follows goes to the mode in any case
  for (inner in 10^-(13:6)) {
    f <- tryCatch(lme4_deviance(fit_with, nAGQ, zeta, inner), error = identity)
    if (!inherits(f, "error") && is.finite(tryCatch(f$value(tmb$par), error = function(e) NaN))) break
  }
  if (inherits(f, "error")) stop(f)
  unit <- sqrt(pmax(0, diag(tryCatch(solve(tmb$hessian), error = function(e) diag(1 / pmax(diag(tmb$hessian), 1e-8))))))
  unit <- ifelse(unit > 0 & is.finite(unit), unit, 1)
  k <- seq_along(p$theta)
  edge <- pmax(1e-3, unit[k])  # at theta = 0 the standard error means nothing
  unit[k] <- ifelse(abs(tmb$par[k]) < 1e-6, pmin(unit[k], edge, .1), unit[k])
  # With a canonical link TMB's optimum is lme4's too, found with exact gradients: differences of
  # lme4's deviance, good to 1e-6, confirm it.
  known <- if (is_canonical(p$family) && nAGQ == 1L) 2 * tmb$hessian
  found <- polish(f$value, tmb$par, unit, known, tolerance = if (is.null(known)) 1e-6 else 1e-5)
  value <- f$value(found$par)
  c(unpack(p, found$par, tmb), list(
    par = found$par, u = f$pp$u(1), log_likelihood = -value / 2, hessian = found$curvature / 2,
    gradient = found$size, trace = found$trace, f = f, fit_with = fit_with))
}
