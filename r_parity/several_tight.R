# Tight optima of glmmTMB: its objective and exact gradient with a tight inner iteration, nlminb from
# several starts, Newton's steps with differences of the gradient as curvature.

several_family <- function(m) {
  make <- if (exists(m$family, asNamespace("glmmTMB"), inherits = FALSE)) get(m$family, asNamespace("glmmTMB"))
          else get(m$family, asNamespace("stats"))
  make(m$link)
}

DIVIDE_DISPERSION <- c(gaussian = "-", Gamma = "", ziGamma = "")  # glmmTMB 1.1.5: log variance, log shape

several_fit <- function(m, data) {
  text <- function(x) as.formula(x, env = globalenv())
  assign("reference_data", data, globalenv())
  assign("reference_family", several_family(m), globalenv())
  disp <- if (is.null(m$disp)) "~ 1" else m$disp
  call <- list(quote(glmmTMB::glmmTMB), text(m$formula), data = quote(reference_data),
               family = quote(reference_family), ziformula = text(if (is.null(m$zi)) "~ 0" else m$zi),
               REML = isTRUE(m$reml), se = FALSE, start = m$start,
               control = glmmTMB::glmmTMBControl(optCtrl = list(eval.max = 2000, iter.max = 1000)))
  if (!is.null(m$weights)) {
    if (m$family %in% names(DIVIDE_DISPERSION))
      disp <- paste0(disp, " + offset(", DIVIDE_DISPERSION[m$family], "log(", m$weights, "))")
    else call$weights <- as.name(m$weights)
  }
  call$dispformula <- text(disp)
  if (!is.null(m$fixed)) {
    call$start <- c(m$start, list(psi = m$fixed))
    call$map <- list(psi = factor(rep(NA, length(m$fixed))))
  }
  if (!is.null(m$map)) call$map <- lapply(m$map, factor)
  call <- Filter(Negate(is.null), call)
  messages <- character()
  fit <- withCallingHandlers(eval(as.call(call), globalenv()), warning = function(w) {
    messages <<- c(messages, trimws(conditionMessage(w)))
    invokeRestart("muffleWarning")
  })
  list(fit = fit, messages = messages)
}

# The optimum of a TMB objective, from `first` and `restarts` other points.
tighten <- function(obj, first, restarts) {
  if (length(obj$env$random)) obj$env$inner.control[c("tol", "tol10", "maxit")] <- list(1e-12, 0, 200)
  safe <- function(f) function(x) { v <- quietly(f(x)); if (all(is.finite(v))) v else rep(1e10, length(v)) }
  fn <- safe(function(x) as.numeric(obj$fn(x)))
  gr <- safe(function(x) as.vector(obj$gr(x)))
  from <- function(par) quietly(nlminb(par, fn, gr, control = list(eval.max = 2000, iter.max = 1000,
                                                                   rel.tol = 1e-14, x.tol = 1e-12)))
  found <- list(from(first))
  set.seed(1)
  for (i in seq_len(restarts))
    found <- c(found, list(from(found[[1]]$par + .2 * rnorm(length(first)) * pmax(.5, abs(first)))))
  values <- vapply(found, `[[`, 0, "objective")
  par <- found[[which.min(values)]]$par
  value <- min(values)
  spread <- rep(Inf, length(par))
  for (i in 1:8) {
    g <- gr(par)
    size <- pmax(abs(par), .1)
    H <- jacobian(gr, par, pmin(.1 * size, pmax(1e-4 * size, spread)))
    spread <- 1 / sqrt(pmax(diag(H), 1e-12))
    gradient <- scaled_gradient(H, g)
    if (i > 1 && gradient < 1e-9) break
    step <- newton_step(H, g, spread)
    new <- fn(par + step)
    if (new > value + 1e-9 * abs(value)) break
    par <- par + step
    value <- new
  }
  fn(par)
  g <- gr(par)
  list(par = unname(par), names = names(obj$par), last = obj$env$last.par, value = value, hessian = H, gradient = g,
       scaled_gradient = scaled_gradient(H, g), restart_spread = if (restarts) diff(range(values)))
}

# The accessors of glmmTMB then answer at the tight optimum.
moved_to <- function(fit, found) {
  fit$obj$env$last.par.best <- found$last
  fit$obj$env$value.best <- found$value
  fit$fit$par[] <- found$par
  fit$fit$parfull <- found$last
  fit$fit$objective <- found$value
  fit
}

# The same with the covariances of all parameters from the Hessian there.
tight_glmmTMB <- function(fit, restarts = 0) {
  found <- tighten(fit$obj, unname(fit$fit$par), restarts)
  if (found$scaled_gradient > 1e-6) stop("no tight optimum: scaled gradient ", found$scaled_gradient)
  fit <- moved_to(fit, found)
  fit$sdr <- TMB::sdreport(fit$obj, par.fixed = found$par, hessian.fixed = found$hessian)
  names(fit$sdr$par.fixed) <- found$names
  dimnames(fit$sdr$cov.fixed) <- list(found$names, found$names)
  fit
}

several_tight <- function(m, data) {
  made <- several_fit(m, data)
  fit <- made$fit
  found <- tighten(fit$obj, unname(fit$fit$par), if (is.null(m$restarts)) 1 else m$restarts)
  default <- list(log_likelihood = -fit$fit$objective, convergence = fit$fit$convergence, messages = I(made$messages))
  c(found, list(fit = moved_to(fit, found), default = default))
}
