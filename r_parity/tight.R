# lmer's answer made tight. Its default stop leaves theta good to 1e-3 … 1e-6 only, so:
#   1. default fit; 2. BOBYQA again with tolerances at rounding level, from the default optimum and
#   from other starts; 3. Newton steps on the exact gradient until it vanishes; the best is kept.
# The deviance of every candidate is lme4's own deviance function.

# -- exact gradient ------------------------------------------------------------------------------
# With V = W^-1 + Z Lambda Lambda' Z' (all relative to sigma^2), M = Lambda' Z'WZ Lambda + I and
# C = Z' V^-1 X, S = (X' V^-1 X)^-1, r the penalised residual, u the spherical modes, m = n or n - p:
#   d/dLambda = 2 Z' V^-1 Z Lambda  [- 2 C S C' Lambda  for REML]  - 2 (m / pwrss) (Z'W r) u'
# of which the entries on Lambda's pattern are summed by the parameter that fills them.
exact_gradient <- function(devfun) {
  rho <- environment(devfun)
  pp <- rho$pp
  resp <- rho$resp
  w <- resp$weights
  X <- pp$X
  Zt <- pp$Zt
  ZtW <- Zt %*% Diagonal(x = w)
  A <- ZtW %*% t(Zt)
  ZtWX <- as.matrix(ZtW %*% X)
  XtWX <- crossprod(X, w * X)
  reml <- resp$REML > 0
  df <- nrow(X) - if (reml) ncol(X) else 0
  function(theta) {
    devfun(theta)
    Lambda <- t(pp$Lambdat)
    ALam <- A %*% Lambda
    M <- as.matrix(crossprod(Lambda, ALam))
    diag(M) <- diag(M) + 1
    M_inv <- chol2inv(chol(M))
    LamtZtWX <- as.matrix(crossprod(Lambda, ZtWX))
    u <- pp$u(1)
    r <- resp$y - resp$mu
    pwrss <- resp$wrss() + pp$sqrL(1)
    ZtWr <- as.vector(ZtW %*% r)

    at <- summary(pp$Lambdat)  # column i of Lambda' is row i of Lambda
    i <- at$j
    j <- at$i
    B <- as.matrix(ALam %*% M_inv)
    entries <- 2 * B[cbind(i, j)] - 2 * df / pwrss * ZtWr[i] * u[j]
    if (reml) {
      C <- ZtWX - B %*% LamtZtWX
      S <- solve(XtWX - crossprod(LamtZtWX, M_inv %*% LamtZtWX))
      CtLam <- as.matrix(crossprod(C, Lambda))
      entries <- entries - 2 * rowSums((C %*% S)[i, , drop = FALSE] * t(CtLam)[j, , drop = FALSE])
    }
    stopifnot(length(pp$Lambdat@x) == length(pp$Lind))
    as.vector(rowsum(entries, pp$Lind))
  }
}

# One over the root mean square of the column of Z that each parameter multiplies: the size a
# parameter has when its random effect is as large as the residual.
natural_scale <- function(devfun) {
  pp <- environment(devfun)$pp
  at <- summary(pp$Lambdat)
  squares <- rowSums(pp$Zt^2)[at$j]
  as.vector(sqrt(ncol(pp$Zt) / rowsum(squares, pp$Lind)))
}

# Newton on the exact gradient with its own central differences as curvature, damped until a step
# does not raise the deviance. Templates that have lost rank have directions with neither gradient
# nor curvature: no step is made along them.
newton_polish <- function(devfun, theta, scale, steps = 60, tolerance = 1e-10) {
  gradient <- exact_gradient(devfun)
  at <- function(theta) list(theta = theta, value = devfun(theta), slope = gradient(theta) * scale)
  size <- function(point) max(abs(point$slope))
  best <- at(theta)
  k <- length(theta)
  fresh <- FALSE
  damping <- 0
  for (step in seq_len(steps)) {
    if (!fresh) {
      H <- vapply(seq_len(k), function(a) {
        h <- 1e-4 * scale * (seq_len(k) == a)
        (gradient(best$theta + h) - gradient(best$theta - h)) * scale / 2e-4
      }, numeric(k))
      spectrum <- eigen((matrix(H, k) + t(matrix(H, k))) / 2, symmetric = TRUE)
      fresh <- TRUE
    }
    if (size(best) < tolerance * max(1, abs(best$value) / 1e4)) break
    keep <- abs(spectrum$values) > 1e-7 * max(abs(spectrum$values))
    vectors <- spectrum$vectors[, keep, drop = FALSE]
    along <- crossprod(vectors, best$slope) / (abs(spectrum$values[keep]) + damping)
    here <- at(best$theta - as.vector(vectors %*% along) * scale)
    level <- here$value < best$value + 1e-10 * abs(best$value)
    if (level && (size(here) < size(best) || here$value < best$value - 1e-9 * abs(best$value))) {
      fresh <- size(here) < 0.1 * size(best)  # as long as it converges fast, the curvature will do
      best <- here
      damping <- if (damping < 1e-3) 0 else damping / 10
    } else damping <- max(1e-3, 10 * damping)
    if (damping > 1e8) break
  }
  c(best, list(curvature = spectrum$values, gradient = size(best)))
}

# Sign of each template's columns such that diagonals are not negative; rounding-level ones are 0.
tidy_theta <- function(theta, cnms, scale) {
  theta[abs(theta) < 1e-8 * scale] <- 0
  at <- 0
  for (names in cnms) {
    k <- length(names)
    rows <- at + seq_len(k * (k + 1) / 2)
    T <- matrix(0, k, k)
    T[lower.tri(T, TRUE)] <- theta[rows]
    T <- T %*% diag(ifelse(diag(T) < 0, -1, 1), k)
    theta[rows] <- T[lower.tri(T, TRUE)]
    at <- max(rows)
  }
  theta
}

TIGHT <- list(algorithm = "NLOPT_LN_BOBYQA", xtol_abs = 1e-13, ftol_abs = 1e-14, xtol_rel = 1e-13,
              ftol_rel = 1e-14, maxeval = 1e5)

# default fit, tight fit (a merMod at the polished theta) and how it was found
tight_fit <- function(fit_with, restarts = 3, start = NULL) {
  control <- function(...) lmerControl(check.rankX = "silent.drop.cols", calc.derivs = FALSE,
                                       check.conv.singular = "ignore", ...)
  messages <- character()
  note <- function(c) messages <<- c(messages, trimws(conditionMessage(c)))
  default <- withCallingHandlers(
    fit_with(),
    warning = function(w) { note(w); invokeRestart("muffleWarning") },
    message = function(m) { note(m); invokeRestart("muffleMessage") })
  devfun <- suppressMessages(suppressWarnings(fit_with(devFunOnly = TRUE, control = control())))
  scale <- natural_scale(devfun)
  first <- if (is.null(start)) unname(getME(default, "theta")) else start
  refit <- function(theta, ...) suppressMessages(suppressWarnings(
    fit_with(start = theta, control = control(...))))
  candidates <- list(refit(first, optCtrl = TIGHT))
  set.seed(1)
  for (i in seq_len(restarts)) {
    far <- first * exp(rnorm(length(first))) + 0.1 * abs(rnorm(length(first))) * scale
    candidates <- c(candidates, refit(far, optimizer = c("bobyqa", "nloptwrap", "Nelder_Mead")[i]))
  }
  values <- vapply(candidates, criterion_of, 0)
  best <- candidates[[which.min(values)]]
  polished <- newton_polish(devfun, unname(getME(best, "theta")), scale)
  theta <- tidy_theta(polished$theta, best@cnms, scale)
  tight <- suppressMessages(suppressWarnings(
    fit_with(start = theta, control = control(optimizer = NULL))))
  stopifnot(isTRUE(all.equal(unname(getME(tight, "theta")), theta, tolerance = 1e-14)))
  list(default = default, tight = tight, devfun = devfun, messages = messages,
       gradient = polished$gradient, curvature = polished$curvature,
       restart_spread = diff(range(values)))
}

criterion_of <- function(fit) getME(fit, "devcomp")$cmp[[if (isREML(fit)) "REML" else "dev"]]
