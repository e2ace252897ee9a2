# Writes r_parity/references/glm/<id>.json: generalised linear models without random effects.
#   Rscript r_parity/glm.R [--out r_parity] [--only id,id]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages(library(MASS))
here <- folder_of_script()
source(file.path(here, "simulate.R"))
source(file.path(here, "glm_models.R"))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "glm")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

FULL_ROWS <- 120      # with more rows than this, values by row are the first KEPT_ROWS and sums
KEPT_ROWS <- 40
POLISH <- list(epsilon = 1e-300, maxit = 60)  # IRLS until the deviance repeats to the last digit
NEW_ROWS <- 4

model_data <- function(name) {
  if (is.data.frame(name)) return(name)
  if (startsWith(name, "sim:")) return(simulated[[sub("sim:", "", name)]])
  for (package in c("lme4", "mlmRev", "MASS", "glmmTMB")) {
    env <- new.env()
    suppressWarnings(data(list = name, package = package, envir = env))
    if (!is.null(env[[name]])) return(as.data.frame(env[[name]]))
  }
  stop("no data set ", name)
}

by_row <- function(x) {
  x <- unname(x)
  list(n = length(x), sum = sum(x), sum_of_squares = sum(x^2),
       values = I(if (length(x) <= FULL_ROWS) x else x[seq_len(KEPT_ROWS)]))
}

r_family <- function(m, theta = m$theta) {
  if (m$family == "negativebinomial") return(eval(call("negative.binomial", theta, m$link)))
  # The families read their argument unevaluated: power() has to be a call in it.
  link <- if (is.character(m$link)) m$link else call("power", m$link)
  make <- switch(m$family, gamma = "Gamma", inverse_gaussian = "inverse.gaussian", m$family)
  eval(call(make, link))
}

fit_call <- function(m, data, family, ...) {
  assign("reference_data", data, globalenv())
  call <- list(quote(stats::glm), as.formula(m$formula, env = globalenv()),
               data = quote(reference_data), family = family)
  if (!is.null(m$weights)) call$weights <- as.name(m$weights)
  if (!is.null(m$offset)) call$offset <- as.name(m$offset)
  eval(as.call(c(call, list(...))), globalenv())
}

polished <- function(m, data, family, start = m$start) {
  loose <- fit_call(m, data, family, start = start, control = list(maxit = 100))
  suppressWarnings(fit_call(m, data, family, start = coef(loose), control = POLISH))
}

# theta and the coefficients in turn, as glm.nb does, until theta repeats.
estimated_theta <- function(m, data) {
  theta <- 1
  start <- m$start
  for (i in 1:200) {
    fit <- polished(m, data, r_family(m, theta), start)
    start <- coef(fit)
    found <- suppressWarnings(
      theta.ml(fit$y, fitted(fit), sum(fit$prior.weights), fit$prior.weights, limit = 100,
               eps = 1e-14))
    done <- abs(found / theta - 1) < 1e-13
    theta <- as.numeric(found)
    if (done) break
  }
  list(fit = polished(m, data, r_family(m, theta), start), theta = theta,
       se = attr(found, "SE"))
}

# R's logLik raises densities of Gamma and inverse Gaussian responses to the power of their weights;
# here they are densities with the dispersion over the weight, as documented in ?glm.
log_likelihood_of <- function(m, fit) {
  found <- logLik(fit)
  if (is.null(m$weights) || !m$family %in% c("gamma", "inverse_gaussian")) return(found)
  y <- fit$y
  phi <- deviance(fit) / length(y) / fit$prior.weights
  mu <- fitted(fit)
  value <- if (m$family == "gamma") dgamma(y, 1 / phi, scale = mu * phi, log = TRUE)
           else -.5 * log(2 * pi * phi * y^3) - (y / mu - 1)^2 / (2 * phi * y)
  structure(sum(value), df = attr(found, "df"))
}

# -2 log-likelihood and its degrees of freedom as logLik.glm and logLik.negbin have them.
reference <- function(m) {
  data <- model_data(m$data)
  estimated <- m$family == "negativebinomial" && is.null(m$theta)
  found <- if (estimated) estimated_theta(m, data) else list(fit = polished(m, data, r_family(m)))
  fit <- found$fit
  # negative.binomial() leaves the dispersion free in summary.glm; summary.negbin holds it at one.
  dispersion <- if (m$family == "negativebinomial") 1 else NULL
  told <- summary(fit, dispersion = dispersion)
  one <- m$family %in% c("binomial", "poisson", "negativebinomial")
  log_lik <- log_likelihood_of(m, fit)
  df <- attr(log_lik, "df") + estimated
  link <- predict(fit, se.fit = TRUE, dispersion = dispersion)
  response <- predict(fit, se.fit = TRUE, type = "response", dispersion = dispersion)
  V <- vcov(told)
  se <- sqrt(diag(V))
  tail_of <- if (one) function(t) 2 * pnorm(-abs(t)) else function(t) 2 * pt(-abs(t), fit$df.residual)
  rows <- seq_len(min(NEW_ROWS, nrow(data)))
  record <- list(
    data = if (is.data.frame(m$data)) NULL else m$data,
    columns = if (is.data.frame(m$data)) lapply(m$data, function(x)
      list(kind = column_kind(x), values = I(if (is.factor(x)) as.character(x) else x))),
    formula = m$formula, python_formula = m$python, family = m$family, link = m$link,
    fixed_theta = m$theta, weights = m$weights, offset = m$offset,
    names = I(names(coef(fit))), beta = I(unname(coef(fit))), se = I(unname(se)), vcov = unname(V),
    statistic = I(unname(coef(fit) / se)), p = I(unname(tail_of(coef(fit) / se))),
    confidence = unname(cbind(coef(fit) - qnorm(.975) * se, coef(fit) + qnorm(.975) * se)),
    dispersion = told$dispersion, theta = found$theta, se_theta = found$se,
    deviance = deviance(fit), null_deviance = fit$null.deviance,
    df_residual = fit$df.residual, df_null = fit$df.null,
    log_likelihood = as.numeric(log_lik), df = df,
    aic = -2 * as.numeric(log_lik) + 2 * df,
    bic = -2 * as.numeric(log_lik) + log(nobs(fit)) * df, nobs = nobs(fit),
    fitted = by_row(fitted(fit)), linear_predictor = by_row(fit$linear.predictors),
    residuals = sapply(c("response", "pearson", "deviance", "working"),
                       function(type) by_row(residuals(fit, type)), simplify = FALSE),
    working_weights = by_row(fit$weights), hat = by_row(hatvalues(fit)),
    cooks = by_row(cooks.distance(fit, dispersion = told$dispersion)),
    prediction = list(link = I(unname(link$fit[rows])), link_se = I(unname(link$se.fit[rows])),
                      response = I(unname(response$fit[rows])),
                      response_se = I(unname(response$se.fit[rows]))),
    versions = list(R = as.character(getRversion()), MASS = as.character(packageVersion("MASS"))))
  if (!is.null(m$against)) record$anova <- comparison(m, data, fit, told$dispersion, one)
  Filter(Negate(is.null), record)
}

# anova(smaller, this, test = "LRT" and "F"), from their definitions on tight fits.
comparison <- function(m, data, fit, dispersion, one) {
  small <- polished(modifyList(m, list(formula = m$against, start = NULL)), data, fit$family)
  table <- anova(small, fit, dispersion = dispersion, test = if (one) "Chisq" else "F")
  list(formula = m$against, resid_df = I(table[["Resid. Df"]]),
       resid_dev = I(table[["Resid. Dev"]]), df = table[["Df"]][2],
       deviance = table[["Deviance"]][2], f = if (one) NULL else table[["F"]][2],
       p = table[[if (one) "Pr(>Chi)" else "Pr(>F)"]][2],
       p_lrt = pchisq(table[["Deviance"]][2] / dispersion, table[["Df"]][2], lower.tail = FALSE))
}

chosen <- if (nzchar(only)) models[strsplit(only, ",")[[1]]] else models
failed <- character()
for (m in chosen) {
  record <- tryCatch(reference(m), error = identity)
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-30s %s", m$id, paste(format(record), collapse = " ")))
    next
  }
  write_lines_json(record, file.path(folder, paste0(m$id, ".json")))
  message(sprintf("%-30s %15.6f", m$id, record$log_likelihood))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
