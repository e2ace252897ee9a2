# What is kept of a cumulative link model: see README.md.

cumulative_of <- list(logit = plogis, probit = pnorm, cloglog = function(x) -expm1(-exp(x)),
                      loglog = function(x) exp(-exp(-x)), cauchit = pcauchy)

# Probabilities of all categories, (rows, categories).
category_probabilities <- function(p, par, names, modes = 0) {
  d <- p$data
  k <- ncol(d$T)
  cuts <- d$N %*% t(d$T %*% matrix(par[names == "alpha"], k))
  scale <- exp(d$scale_offset + as.vector(d$S %*% par[names == "zeta"]))
  eta <- d$offset + as.vector(d$X %*% par[names == "beta"]) + modes
  below <- cbind(0, cumulative_of[[p$m$link]]((cuts - eta) / scale), 1)
  list(eta = eta, prob = unname(below[, -1] - below[, -ncol(below)]))
}

# clm's predictions with standard errors on all combinations of some columns.
clm_predictions <- function(m, data, found) {
  if (is.null(m$new)) return(NULL)
  new <- expand.grid(lapply(data[m$new], function(x) factor(levels(x), levels(x))))
  one <- function(type, ...) quietly(predict(found$p$fit, new, type = type, ...))
  list(columns = sapply(m$new, function(name) I(as.character(new[[name]])), simplify = FALSE),
       prob = unname(one("prob")$fit), se = unname(one("prob", se.fit = TRUE)$se.fit),
       lower = unname(one("prob", interval = TRUE)$lwr), upper = unname(one("prob", interval = TRUE)$upr),
       cumulative = unname(one("cum.prob")$cprob1), linear = unname(one("linear.predictor")$eta1),
       class = I(as.character(one("class")$fit)))
}

# ordinal's own fit, and how far it is from its optimum.
own_answer <- function(m, data, found) {
  value <- function(fit) list(log_likelihood = as.numeric(logLik(fit)), coefficients = I(unname(coef(fit))),
                              se = I(unname(sqrt(diag(vcov(fit)))[seq_along(coef(fit))])))
  if (is.null(found$p$shell)) return(value(found$p$fit))
  if (!is.null(m$nominal) || !is.null(m$scale)) return(NULL)
  data$.w <- if (is.null(m$weights)) 1 else data[[m$weights]]
  assign("reference_data", data, globalenv())
  # clmm of ordinal 2022.11-16 has exchanged these two; clm and polr have not
  link <- switch(m$link, cloglog = "loglog", loglog = "cloglog", m$link)
  call <- list(quote(ordinal::clmm), as.formula(m$formula, env = globalenv()), data = quote(reference_data),
               weights = quote(.w), link = link, threshold = m$threshold, Hess = TRUE,
               nAGQ = if (is.null(m$nodes)) 1L else as.integer(m$nodes),
               control = ordinal::clmm.control(innerCtrl = "noWarn"))
  fit <- quietly(eval(as.call(call), globalenv()))
  c(list(log_likelihood = as.numeric(logLik(fit)), coefficients = I(unname(coef(fit)))),
    if (isTRUE(m$ranef)) list(modes = I(unname(unlist(ordinal::ranef(fit)))),
                              condvar = I(unname(unlist(ordinal::condVar(fit))))))
}

# Standard deviations of random effects given the parameters, from the curvature of the joint density.
ordinal_terms <- function(found) {
  p <- found$p
  theta <- found$par[found$names == "theta"]
  shell <- p$shell
  Lambda <- as.matrix(Lambda_at(list(Lambdat = lme4::getME(shell, "Lambdat"), Lind = lme4::getME(shell, "Lind")), theta))
  if (is.null(found$modes)) {
    u <- found$last[found$obj$env$random]
    inner <- found$obj$env$spHess(found$last, random = TRUE)
    V <- chol2inv(chol(as.matrix(inner)))
  } else {
    u <- found$modes$u
    V <- diag(found$modes$width^2)
  }
  b <- as.vector(Lambda %*% u)
  sds <- sqrt(pmax(0, rowSums((Lambda %*% V) * Lambda)))
  Gp <- shell@Gp
  groups <- names(shell@cnms)
  list(b = b, terms = lapply(seq_along(groups), function(t) {
    rows <- seq(Gp[t] + 1, Gp[t + 1])
    k <- length(shell@cnms[[t]])
    block <- Lambda[rows[seq_len(k)], rows[seq_len(k)], drop = FALSE]
    S <- tcrossprod(block)
    term_record(groups[t], shell@cnms[[t]], levels(shell@flist[[groups[t]]]), b[rows], sds[rows], sqrt(diag(S)),
                if (all(diag(S) > 1e-12)) cov2cor(S) else diag(k), full = 24, first = 12)
  }))
}

polr_answer <- function(m, data) {
  if (!isTRUE(m$polr)) return(NULL)
  data$.w <- if (is.null(m$weights)) 1 else data[[m$weights]]
  assign("reference_data", data, globalenv())
  fit <- quietly(MASS::polr(as.formula(m$formula, env = globalenv()), reference_data, weights = .w, Hess = TRUE,
                            method = if (m$link == "logit") "logistic" else m$link,
                            control = list(reltol = 1e-15, maxit = 1000)))
  list(log_likelihood = as.numeric(logLik(fit)), coefficients = I(unname(c(fit$zeta, coef(fit)))))
}

ordinal_record <- function(m, data, found) {
  p <- found$p
  names <- found$names
  H <- found$hessian
  spectrum <- eigen(H, symmetric = TRUE, only.values = TRUE)$values
  V <- if (min(spectrum) > 1e-9 * max(spectrum)) solve(H) else pseudo_inverse(H)
  part <- function(key, labels) {
    at <- names == key
    if (any(at)) list(names = if (!is.null(labels)) I(labels), values = I(found$par[at]), se = I(sqrt(pmax(0, diag(V)[at]))))
  }
  d <- p$data
  alpha <- names == "alpha"
  cuts <- kronecker(diag(ncol(d$N)), d$T)  # thresholds, by column of the nominal design
  K <- nrow(d$T)
  thresholds <- matrix(cuts %*% found$par[alpha], K)
  threshold_se <- matrix(sqrt(pmax(0, diag(cuts %*% V[alpha, alpha, drop = FALSE] %*% t(cuts)))), K)
  random <- if (!is.null(p$shell)) ordinal_terms(found)
  at_modes <- category_probabilities(p, found$par, names, if (is.null(random)) 0 else as.vector(d$Z %*% random$b))
  ll <- -found$value
  observed <- at_modes$prob[cbind(seq_along(d$y), d$y + 1)]
  if (is.null(random)) stopifnot(abs(sum(d$weights * log(observed)) - ll) < 1e-8 * abs(ll))
  list(
    log_likelihood = ll, df = length(found$par), nobs = length(d$y), levels = I(p$levels),
    gradient = max(abs(found$gradient)), scaled_gradient = found$scaled_gradient,
    converged = max(abs(found$gradient)) < 1e-6 && (min(spectrum) > 0 || !is.null(m$edge)),
    restart_spread = found$restart_spread,
    thresholds = list(names = I(paste(head(p$levels, -1), p$levels[-1], sep = "|")), columns = I(colnames(d$N)),
                      values = thresholds, se = threshold_se),
    alpha = part("alpha", base::names(p$fit$alpha)), beta = part("beta", colnames(d$X)),
    scale_coefficients = part("zeta", colnames(d$S)), theta = part("theta", NULL),
    x_probe = I(unname(colSums(d$X * cos(seq_len(nrow(d$X)))))),
    parameters = I(names), vcov = signif(V, 10), terms = random$terms,
    fitted = several_by_row(observed), linear = several_by_row(at_modes$eta),
    probabilities = at_modes$prob[seq_len(min(12, nrow(at_modes$prob))), ],
    predictions = clm_predictions(m, data, found), ordinal = own_answer(m, data, found), polr = polr_answer(m, data))
}
