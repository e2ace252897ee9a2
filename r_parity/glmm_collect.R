# What is kept of one fit of a generalised linear mixed model: see README.md. Everything is computed
# from its definition at the optimum and checked against lme4's accessors where lme4 made the fit.

GLMM_ROWS <- 100
GLMM_KEPT <- 60
by_row_glmm <- function(x) shortened(x, GLMM_ROWS, GLMM_KEPT)

# The fit at (theta, beta, zeta) with modes u: linear predictor, weights, joint precision.
state_of <- function(p, fit, weights = c("expected", "observed")) {
  weights <- match.arg(weights)
  Lambda <- Lambda_at(p, fit$theta)
  b <- as.vector(Lambda %*% fit$u)
  eta <- p$offset + as.vector(p$X %*% fit$beta + p$Z %*% b)
  rows <- row_terms(p$family, p$r, eta, fit$zeta)
  ZLam <- p$Z %*% Lambda
  stationary <- max(abs(as.vector(crossprod(ZLam, rows$score)) - fit$u))
  stopifnot(stationary < 1e-6 * max(1, abs(rows$score)))  # u is the mode
  w <- rows[[weights]]
  M <- crossprod(ZLam, Diagonal(x = w) %*% ZLam) + Diagonal(ncol(ZLam))
  list(Lambda = Lambda, b = b, eta = eta, mu = r_family(p$family, fit$zeta)$linkinv(eta), w = w, M = M,
       ZtWX = as.matrix(crossprod(ZLam, w * p$X)), XtWX = crossprod(p$X, w * p$X),
       stationary = stationary)
}

sd_of_modes <- function(state) {
  half <- as.matrix(solve(forceSymmetric(state$M), t(state$Lambda)))
  sqrt(pmax(0, colSums(half * as.matrix(t(state$Lambda)))))
}

glmm_terms <- function(p, state, sds) {
  shell <- p$shell
  Sigma <- tcrossprod(state$Lambda)
  lapply(seq_along(shell@cnms), function(t) {
    names <- shell@cnms[[t]]
    group <- names(shell@cnms)[t]
    rows <- seq(shell@Gp[t] + 1, shell@Gp[t + 1])
    S <- as.matrix(Sigma[rows[seq_along(names)], rows[seq_along(names)]])
    correlation <- quietly(cov2cor(S))
    term_record(group, names, levels(shell@flist[[group]]), state$b[rows], sds[rows], sqrt(diag(S)),
                correlation, full = 100, first = 40)
  })
}

residuals_of <- function(p, fit, state) {
  family <- r_family(p$family, fit$zeta)
  total <- p$r$weights * p$r$trials
  gap <- p$r$y - state$mu
  list(response = gap, pearson = gap * sqrt(total / family$variance(state$mu)),
       deviance = sign(gap) * sqrt(pmax(0, family$dev.resids(p$r$y, state$mu, total))),
       working = gap / family$mu.eta(state$eta))
}

fixed_offset <- function(shell, frame) {
  terms <- delete.response(terms(shell, fixed.only = TRUE))
  offset <- model.offset(model.frame(terms, frame, na.action = na.pass))
  if (is.null(offset)) rep(0, nrow(frame)) else offset
}

glmm_prediction <- function(p, fit, state, vcov) {
  shell <- p$shell
  frame <- new_rows(shell, p$data)
  X <- fixed_matrix(shell, frame)
  Z <- new_Z(shell, p$data, frame)
  population <- fixed_offset(shell, frame) + as.vector(X %*% fit$beta)
  conditional <- population + as.vector(Z %*% state$b)
  linkinv <- r_family(p$family, fit$zeta)$linkinv
  record <- list(
    columns = lapply(as.list(frame), function(x) {
      list(kind = column_kind(x), values = I(if (is.factor(x)) as.character(x) else x))
    }),
    population = population, conditional = conditional, population_response = linkinv(population),
    conditional_response = linkinv(conditional),
    population_se = if (!is.null(vcov)) sqrt(rowSums((X %*% vcov) * X)))
  if (ncol(Z) + ncol(X) <= DENSE_LIMIT) {
    P <- rbind(cbind(as.matrix(state$M), state$ZtWX), cbind(t(state$ZtWX), state$XtWX))
    design <- cbind(as.matrix(Z %*% state$Lambda), X)
    record$conditional_se_theta_fixed <- sqrt(colSums(t(design) * solve(P, t(design))))
  }
  list(record = record, frame = frame)
}

beta_block <- function(p, fit) {
  at <- length(p$theta) + seq_len(ncol(p$X))
  V <- tryCatch(solve(fit$hessian), error = function(e) NULL)
  # a template of deficient rank has directions without curvature, in theta alone
  if (is.null(V) || any(diag(V)[at] <= 0)) V <- pseudo_inverse(fit$hessian)
  unname(V[at, at, drop = FALSE])
}
pseudo_inverse <- function(H) {
  s <- eigen(H, symmetric = TRUE)
  keep <- s$values > 1e-9 * max(s$values)
  s$vectors[, keep] %*% (t(s$vectors[, keep]) / s$values[keep])
}

glmm_record <- function(p, fit, weights, system) {
  fit$theta[abs(fit$theta) < 1e-6 * theta_unit(p)] <- 0  # what Newton's steps leave on the boundary
  state <- state_of(p, fit, weights)
  k <- length(p$theta)
  singular <- any(diag_theta(p, fit$theta) < 1e-4)
  vcov <- if (!is.null(fit$hessian)) beta_block(p, fit)
  parameter <- has_parameter(p$family)
  V <- if (!is.null(fit$hessian)) tryCatch(solve(fit$hessian), error = function(e) pseudo_inverse(fit$hessian))
  sds <- sd_of_modes(state)
  residuals <- residuals_of(p, fit, state)
  prediction <- glmm_prediction(p, fit, state, vcov)
  df <- ncol(p$X) + k + parameter
  n <- nrow(p$X)
  ll <- fit$log_likelihood
  list(record = list(
    system = system, log_likelihood = ll, scaled_gradient = fit$gradient, singular = singular,
    beta = I(fit$beta), se = if (!is.null(vcov)) I(sqrt(diag(vcov))), vcov = vcov,
    theta = I(tidy_theta(fit$theta, p$shell@cnms, theta_unit(p))),
    family_parameter = if (parameter) list(
      name = unname(parameter_of[p$family$name]), value = exp(fit$zeta),
      se_log = if (!is.null(V)) sqrt(V[nrow(V), ncol(V)])),
    sigma = sigma_of(p$family, fit$zeta), terms = glmm_terms(p, state, sds),
    df = df, aic = -2 * ll + 2 * df, bic = -2 * ll + log(n) * df, nobs = n,
    conditional_deviance = sum(residuals$deviance^2),
    fitted = by_row_glmm(state$mu), linear_predictor = by_row_glmm(state$eta),
    working_weights = by_row_glmm(state$w),
    residuals = lapply(residuals, by_row_glmm), prediction = prediction$record),
    state = state, sds = sds, frame = prediction$frame, residuals = residuals)
}

diag_theta <- function(p, theta) {
  lower <- getME(p$shell, "lower")
  abs(theta[lower == 0]) / theta_unit(p)[lower == 0]
}

# The numbers computed here must be those that lme4's accessors give.
check_against_lme4 <- function(p, fit, made, default) {
  rho <- fit$f$rho
  fit$f$value(fit$par)
  rho$resp$setOffset(rho$baseOffset)
  reTrms <- list(flist = default@flist, cnms = default@cnms, Gp = default@Gp, lower = default@lower)
  opt <- list(par = c(fit$theta, fit$beta), fval = -2 * fit$log_likelihood, conv = 0, feval = 0,
              message = "")
  mer <- lme4::mkMerMod(rho, opt, reTrms, default@frame, default@call)
  near <- function(what, a, b, tolerance = 1e-8) {
    same <- all.equal(as.vector(a), as.vector(b), tolerance = tolerance, check.attributes = FALSE)
    if (!isTRUE(same)) stop("lme4's ", what, ": ", same)
  }
  near("fitted values", fitted(mer), made$state$mu)
  if (!has_parameter(p$family)) for (type in names(made$residuals))
    near(paste(type, "residuals"), residuals(mer, type = type), made$residuals[[type]], 1e-7)
  near("modes", getME(mer, "b"), made$state$b)
  if (!anyDuplicated(names(mer@cnms))) {
    variance <- lapply(ranef(mer, condVar = TRUE), attr, "postVar")
    for (t in seq_along(mer@cnms)) {
      v <- variance[[names(mer@cnms)[t]]]
      k <- length(mer@cnms[[t]])
      own <- made$sds[seq(mer@Gp[t] + 1, mer@Gp[t + 1])]
      theirs <- vapply(seq_len(dim(v)[3]), function(l) sqrt(diag(as.matrix(v[, , l]))), numeric(k))
      near("conditional SDs", theirs, own, 1e-6)
    }
  }
  given <- is.null(p$m$offset)
  if (given) {
    near("population predictions", predict(mer, made$frame, re.form = NA), made$record$prediction$population)
    near("predictions", predict(mer, made$frame, allow.new.levels = TRUE), made$record$prediction$conditional)
  }
}

# -- glmmTMB ----------------------------------------------------------------------------------------
glmmtmb_family <- function(family) {
  if (!family$link %in% c("log", "logit", "probit", "inverse", "cloglog", "identity", "sqrt")) return(NULL)
  if (!is.null(family$theta)) return(NULL)
  switch(family$name, binomial = binomial(family$link), poisson = poisson(family$link),
         negativebinomial = glmmTMB::nbinom2(family$link), gamma = Gamma(family$link),
         gaussian = gaussian(family$link), NULL)
}

# glmmTMB's answer: tight tolerances, then Newton steps on its exact gradient.
glmmtmb_record <- function(p, observed, frame) {
  m <- p$m
  family <- glmmtmb_family(m$family)
  if (is.null(family)) return(NULL)
  assign("reference_data", p$data, globalenv())
  assign("reference_family", family, globalenv())
  formula <- as.formula(if (is.null(m$glmmtmb)) m$formula else m$glmmtmb, env = globalenv())
  call <- list(quote(glmmTMB::glmmTMB), formula, data = quote(reference_data), family = quote(reference_family),
               control = glmmTMB::glmmTMBControl(optCtrl = list(rel.tol = 1e-14, eval.max = 2000, iter.max = 1000)))
  # where means must stay positive, glmmTMB's start at 1 does not do: two digits of the optimum
  if (family$link %in% c("identity", "inverse", "sqrt"))
    call$start <- list(beta = signif(observed$beta, 2))
  if (family$link %in% c("log", "identity") && family$family == "binomial")
    call$start <- list(beta = signif(observed$beta, 2), theta = signif(log(observed$theta), 2),
                       b = rep(0, ncol(p$Z)))
  # its weights multiply the log-density; those that divide a dispersion are an offset of its model
  if (!is.null(m$weights)) {
    if (m$family$name %in% c("gamma", "inverse_gaussian", "gaussian"))
      call$dispformula <- as.formula(paste0("~ 1 + offset(", if (m$family$name == "gaussian") "-" else "",
                                            "log(", m$weights, "))"), env = globalenv())
    else call$weights <- as.name(m$weights)
  }
  if (!is.null(m$offset)) call$offset <- as.name(m$offset)
  if (!is.null(m$contrasts)) call$contrasts <- lapply(m$contrasts, function(k) paste0("contr.", k))
  fit <- quietly(eval(as.call(call), globalenv()))
  obj <- fit$obj
  par <- fit$fit$par
  gr <- function(x) as.vector(obj$gr(x))
  unit <- pmax(abs(par), .1)
  H <- jacobian(gr, par, .1 * unit)
  for (i in 1:2) {
    step <- newton_step(H, gr(par), 1 / sqrt(pmax(diag(H), 1e-12)))
    if (is.finite(obj$fn(par + step)) && obj$fn(par + step) <= obj$fn(par) + 1e-9) par <- par + step
  }
  H <- jacobian(gr, par, .1 * unit)
  value <- obj$fn(par)
  V <- tryCatch(solve(H), error = function(e) pseudo_inverse(H))
  name <- names(par)
  beta <- which(name == "beta")
  disp <- which(name == "betad")
  zeta <- if (length(disp)) unname(if (m$family$name == "gaussian") -par[disp] else par[disp])
  theta <- which(name == "theta")
  se <- tryCatch(sqrt(diag(V)[beta]), warning = function(w) NULL)
  # glmmTMB's own standard errors of predictions, over all parameters
  predicted <- tryCatch(quietly(predict(fit, frame, type = "link", se.fit = TRUE, allow.new.levels = TRUE)),
                        error = function(e) NULL)
  list(system = "glmmTMB", log_likelihood = -as.numeric(value), scaled_gradient = scaled_gradient(H, gr(par)),
       beta = I(unname(par[beta])), se = if (!is.null(se)) I(unname(se)), theta = I(unname(par[theta])),
       zeta = zeta, se_zeta = if (length(disp)) unname(sqrt(V[disp, disp])),
       prediction_se = if (!is.null(predicted) && all(is.finite(predicted$se.fit))) I(unname(predicted$se.fit)))
}
