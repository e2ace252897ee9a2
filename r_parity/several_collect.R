# What is kept of a model with several linear predictors: see README.md.

SEVERAL_ROWS <- 12
several_by_row <- function(x) shortened(x, SEVERAL_ROWS, SEVERAL_ROWS)
COMPONENTS <- c(cond = "beta", zi = "betazi", disp = "betad")

several_terms <- function(fit, component, modes, sds) {
  re <- fit$modelInfo$reTrms[[component]]
  blocks <- fit$modelInfo$reStruc[[paste0(component, "ReStruc")]]
  if (!length(re$cnms)) return(list())
  shown <- glmmTMB::VarCorr(fit)[[component]]
  end <- cumsum(vapply(blocks, function(b) b$blockSize * b$blockReps, 0))
  begin <- c(0, end)[seq_along(end)] + 1
  lapply(seq_along(re$cnms), function(t) {
    rows <- seq(begin[t], end[t])
    levels <- levels(re$flist[[attr(re$flist, "assign")[t]]])
    V <- shown[[t]]
    record <- term_record(names(re$cnms)[t], re$cnms[[t]], levels, modes[rows], sds[rows],
                          unname(attr(V, "stddev")), unname(attr(V, "correlation")), full = 24, first = 12)
    structure <- names(blocks[[t]]$blockCode)
    c(list(component = component, structure = if (is.null(structure)) "us" else structure), record)
  })
}

# Covariance matrix of a block of random effects, and the log-density of all of them.
log_prior <- function(fit, component, b) {
  re <- fit$modelInfo$reTrms[[component]]
  blocks <- fit$modelInfo$reStruc[[paste0(component, "ReStruc")]]
  if (!length(re$cnms)) return(0)
  if (any(vapply(blocks, function(b) identical(names(b$blockCode), "rr"), TRUE))) return(NA)  # no density
  shown <- glmmTMB::VarCorr(fit)[[component]]
  answer <- 0
  for (t in seq_along(blocks)) {
    k <- blocks[[t]]$blockSize * blocks[[t]]$blockReps
    u <- matrix(b[seq_len(k)], blocks[[t]]$blockSize)
    b <- b[-seq_len(k)]
    S <- matrix(as.numeric(shown[[t]]), nrow(u))
    root <- chol(S)
    answer <- answer - .5 * sum(backsolve(root, u, transpose = TRUE)^2) -
      ncol(u) * (sum(log(diag(root))) + nrow(u) / 2 * log(2 * pi))
  }
  answer
}

# The joint log-density that glmmTMB has, from the formulas of several_density.R.
several_state <- function(m, found) {
  fit <- found$fit
  d <- fit$obj$env$data
  par <- fit$obj$env$parList(found$par, found$last)
  dense <- function(X, S, beta) as.vector((if (ncol(S)) as.matrix(S) else X) %*% beta)
  fixed <- dense(d$X, d$XS, par$beta) + d$offset
  eta <- fixed + as.vector(d$Z %*% par$b)
  fixed_zi <- if (length(par$betazi)) dense(d$Xzi, d$XziS, par$betazi) + d$zioffset
  zi <- if (length(par$betazi)) fixed_zi + as.vector(d$Zzi %*% par$bzi)
  eta_disp <- if (length(par$betad)) dense(d$Xd, d$XdS, par$betad) + d$doffset else rep(0, length(eta))
  shift <- if (is.null(m$weights) || !m$family %in% names(DIVIDE_DISPERSION)) 0 else d$doffset
  if (m$family == "gaussian") {
    eta_disp <- eta_disp / 2
    shift <- shift / 2
  }
  mu <- several_family(m)$linkinv(eta)
  y <- as.vector(d$yobs)
  size <- if (length(d$size)) d$size else rep(1, length(y))
  rows <- row_log_density(m$family, y, size, eta, mu, exp(eta_disp), par$psi, zi)
  joint <- sum(d$weights * rows) + log_prior(fit, "cond", par$b) + log_prior(fit, "zi", par$bzi)
  gap <- abs(joint + fit$obj$env$f(found$last))
  list(y = y, fixed = fixed, fixed_zi = fixed_zi, eta = eta, mu = mu, eta_zi = zi,
       eta_disp = eta_disp, shift = shift, rows = rows, weights = d$weights, gap = gap,
       par = par, X = d$X, Xzi = d$Xzi, Xd = d$Xd, size = size)
}

sd_of_random <- function(obj, last) {
  if (!length(obj$env$random)) return(numeric())
  H <- obj$env$spHess(last, random = TRUE)
  sqrt(diag(as.matrix(solve(H))))
}

# Standard deviations of modes and coefficients over the uncertainty of all parameters, as glmmTMB's
# ranef(condVar = TRUE) has them.
full_sd_of_random <- function(obj, par, H) {
  if (!length(obj$env$random)) return(numeric())
  found <- tryCatch(quietly(TMB::sdreport(obj, par, hessian.fixed = H)), error = function(e) NULL)
  if (is.null(found)) rep(NA, length(obj$env$random)) else unname(sqrt(found$diag.cov.random))
}

# Standard errors of predictions likewise, for the first rows: as predict(se.fit = TRUE), whose own
# Hessian is good to 1e-5 only. Slow for compois.
predicted_se <- function(m, found) {
  if (grepl("compois", m$family)) return(NULL)
  env <- found$fit$obj$env
  kept <- env$data
  on.exit(env$data <- kept)
  one <- function(report, zeros) {
    data <- kept
    data$whichPredict <- as.numeric(seq_len(SEVERAL_ROWS))
    data$doPredict <- if (report == "eta_predict") 2 else 1
    data$ziPredictCode <- glmmTMB:::.valid_zipredictcode[zeros]
    env$data <- data
    s <- summary(quietly(TMB::sdreport(found$fit$obj, found$par, hessian.fixed = found$hessian)), "report")
    I(unname(s[rownames(s) == report, 2]))
  }
  tryCatch(list(link = one("eta_predict", "uncorrected"), response = one("mu_predict", "corrected")),
           error = function(e) NULL)
}

with_full_sd <- function(terms, sds) {
  at <- 0
  for (t in seq_along(terms)) {
    k <- length(terms[[t]]$names)
    own <- matrix(sds[at + seq_len(k * terms[[t]]$n_levels)], ncol = k, byrow = TRUE)
    terms[[t]]$full_sd_modes <- own[seq_len(nrow(terms[[t]]$modes)), , drop = FALSE]
    at <- at + k * terms[[t]]$n_levels
  }
  terms
}

# phi is the dispersion of the density, without what weights do to it.
several_predictions <- function(m, fit, state) {
  types <- c("link", "response", "conditional", if (!is.null(m$zi)) c("zlink", "zprob"))
  one <- function(type) several_by_row(as.vector(quietly(predict(fit, type = type))))
  predicted <- sapply(types, one, simplify = FALSE)
  if (any(state$par$betad != 0)) predicted$phi <- several_by_row(exp(state$eta_disp - state$shift))
  predicted
}

# Without random effects; glmmTMB's own would estimate the coefficients anew under REML.
population_predictions <- function(m, state) {
  mu <- several_family(m)$linkinv(state$fixed)
  if (startsWith(m$family, "truncated")) {
    of_zero <- base_log_density(sub("truncated_", "", m$family), 0 * mu, state$size, state$fixed, mu,
                                exp(state$eta_disp), state$par$psi)
    mu <- -mu / expm1(of_zero)
  }
  if (!is.null(state$fixed_zi)) mu <- mu * plogis(-state$fixed_zi)
  list(link = several_by_row(state$fixed), response = several_by_row(mu))
}

several_record <- function(m, found) {
  fit <- found$fit
  state <- several_state(m, found)
  names <- found$names
  H <- found$hessian
  spectrum <- eigen(H, symmetric = TRUE, only.values = TRUE)$values
  V <- if (min(spectrum) > 1e-9 * max(spectrum)) solve(H) else pseudo_inverse(H)
  scale <- ifelse(names == "betad" & m$family == "gaussian", .5, 1)  # the log of the SD, not of the variance
  V <- V * outer(scale, scale)
  random <- fit$obj$env$random
  sds <- sd_of_random(fit$obj, found$last)
  kind <- names(found$last)[random]
  reml <- isTRUE(m$reml)
  component <- function(key) {
    coefficient <- COMPONENTS[[key]]
    X <- switch(key, cond = state$X, zi = state$Xzi, disp = state$Xd)
    value <- state$par[[coefficient]]
    if (!ncol(X) || !length(value)) return(NULL)
    if (key == "disp" && all(names != "betad")) return(NULL)
    at <- which(names == coefficient)
    value <- unname(value) * if (key == "disp" && m$family == "gaussian") .5 else 1
    vcov <- if (length(at)) unname(V[at, at, drop = FALSE])
            else joint_block(fit$obj, found, which(names(found$last) == coefficient), V / outer(scale, scale))
    record <- list(names = I(colnames(X)), values = I(value), se = I(sqrt(diag(vcov))), vcov = if (!length(at)) vcov,
                   x_probe = I(unname(colSums(X * cos(seq_len(nrow(X)))))))
    Filter(Negate(is.null), record)
  }
  terms <- with_full_sd(c(several_terms(fit, "cond", state$par$b, sds[kind == "b"]),
                          several_terms(fit, "zi", state$par$bzi, sds[kind == "bzi"])),
                        full_sd_of_random(fit$obj, found$par, H)[kind %in% c("b", "bzi")])
  psi <- glmmTMB::family_params(fit)
  k <- length(found$par) + if (reml) length(state$par$beta) else 0
  ll <- -found$value
  components <- Filter(Negate(is.null), sapply(names(COMPONENTS), component, simplify = FALSE))
  theta <- function(key) I(unname(state$par[[key]]))
  list(
    log_likelihood = ll, df = k, aic = -2 * ll + 2 * k, nobs = length(state$y),
    gradient = max(abs(found$gradient)), scaled_gradient = found$scaled_gradient,
    converged = found$scaled_gradient < 1e-6 && min(spectrum) > 0, restart_spread = found$restart_spread,
    components = components, theta = theta("theta"), theta_zi = theta("thetazi"),
    family_parameters = if (length(psi)) list(names = I(names(psi)), values = I(unname(psi)), psi = theta("psi"),
                                              se_psi = I(sqrt(diag(V)[names == "psi"]))),
    sigma = if (is.finite(glmmTMB::sigma(fit))) glmmTMB::sigma(fit),
    parameters = I(names), vcov = signif(V, 10), terms = terms,
    density = list(difference = state$gap, rows = several_by_row(state$weights * state$rows)),
    predictions = several_predictions(m, fit, state), population = population_predictions(m, state),
    se_fit = predicted_se(m, found),
    default = found$default)
}

# Covariance of the coefficients that restricted likelihood integrates out: of the mode at given
# parameters, and by the uncertainty of these.
joint_block <- function(obj, found, at, V) {
  random <- obj$env$random
  inner <- solve(obj$env$spHess(found$last, random = TRUE))
  own <- match(at, random)
  modes <- function(par) { obj$fn(par); obj$env$last.par[at] }
  size <- sqrt(pmax(diag(V), 1e-12))
  moved <- vapply(seq_along(found$par), function(a) {
    step <- function(h) {
      e <- h * size * (seq_along(size) == a)
      (modes(found$par + e) - modes(found$par - e)) / (2 * h * size[a])
    }
    (4 * step(.01) - step(.02)) / 3
  }, numeric(length(at)))
  moved <- matrix(moved, length(at))
  obj$fn(found$par)
  unname(as.matrix(inner[own, own, drop = FALSE]) + moved %*% V %*% t(moved))
}
