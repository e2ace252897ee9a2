# Writes r_parity/references/glmm/<id>.json; the simulated data are written by lmm.R.
#   Rscript r_parity/glmm.R [--out r_parity] [--only id,id] [--template folder of a compiled glmm.cpp]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(MASS)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_glmm.R", "tight.R", "collect.R", "glmm_models.R", "glmm_response.R",
               "glmm_tight.R", "glmm_collect.R", "glmm_brute.R")) source(file.path(here, file))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "glmm")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)
load_template(here, argument("template", file.path(tempdir(), "template")))

# lme4 as everybody runs it: for the comparison "never worse than the default".
default_fit <- function(p) {
  m <- p$m
  messages <- character()
  note <- function(c) messages <<- c(messages, trimws(conditionMessage(c)))
  fit_with <- if (!has_parameter(m$family)) lme4_caller(m, p$data, NULL)
  fit <- tryCatch(withCallingHandlers(
    if (has_parameter(m$family)) {
      extra <- if (!is.null(m$weights)) list(weights = as.name(m$weights))
      assign("reference_data", p$data, globalenv())
      eval(as.call(c(list(quote(lme4::glmer.nb), as.formula(m$formula), data = quote(reference_data)), extra)))
    } else if (is.null(m$nAGQ)) fit_with() else fit_with(nAGQ = m$nAGQ),
    warning = function(w) { note(w); invokeRestart("muffleWarning") },
    message = function(w) { note(w); invokeRestart("muffleMessage") }), error = function(e) { note(e); NULL })
  record <- list(messages = I(messages))
  if (!is.null(fit)) record <- c(list(log_likelihood = as.numeric(logLik(fit)), beta = I(unname(fixef(fit))),
                                      theta = I(unname(getME(fit, "theta")))), record)
  list(fit = fit, record = record)
}

saturated <- function(p) {
  r <- p$r
  value <- switch(p$family$name, binomial = log_density(p$family, r, r$y),
                  poisson = log_density(p$family, r, r$y),
                  negativebinomial = log_density(p$family, r, r$y))
  sum(value)
}

fits_of <- function(p) {
  m <- p$m
  tmb <- tight_tmb(p)
  lme4 <- !identical(m$lme4, FALSE)
  default <- if (lme4 && !(m$family$name == "negativebinomial" && m$family$link != "log" && has_parameter(m$family)))
    default_fit(p)
  if (identical(m$nAGQ, 0L)) return(list(default = default$record, fits = list(pirls0 = pirls_zero(p, tmb))))
  if (!is.null(m$nAGQ)) {
    fit <- tight_lme4(p, tmb, m$nAGQ)
    reported <- fit$log_likelihood
    fit$log_likelihood <- reported + saturated(p)
    made <- agq_record(p, fit)
    made$reported_log_likelihood <- reported
    return(list(default = default$record, fits = list(agq = made), marginal = marginal_record(p, list(agq = fit), tmb)))
  }
  fits <- list()
  found <- list()
  observed <- glmm_record(p, tmb, "observed", "TMB")
  observed$record$restart_spread <- tmb$restart_spread
  if (lme4) {
    fit <- tight_lme4(p, tmb)
    stopifnot(fit$gradient < 1e-5)
    made <- glmm_record(p, fit, "expected", "lme4")
    if (!is.null(default$fit)) check_against_lme4(p, fit, made, default$fit)
    if (is_canonical(p$family)) {
      stopifnot(abs(fit$log_likelihood - tmb$log_likelihood) < 1e-7 * max(1, abs(tmb$log_likelihood) / 1e3))
      made$record$log_likelihood_tmb <- tmb$log_likelihood
      fits$laplace <- made$record
      found$laplace <- fit
    } else {
      fits$expected <- made$record
      found$expected <- fit
    }
  }
  if (!length(fits$laplace)) {
    key <- if (is_canonical(p$family)) "laplace" else "observed"
    fits[[key]] <- observed$record
    found[[key]] <- tmb
  }
  peer <- tryCatch(glmmtmb_record(p, tmb, observed$frame), error = function(e) list(error = conditionMessage(e)))
  marginal <- if (!identical(m$marginal, FALSE) && nrow(p$X) <= 2000) marginal_record(p, found, tmb)
  list(default = default$record, fits = fits, glmmTMB = peer, marginal = marginal)
}

agq_record <- function(p, fit) {
  made <- glmm_record(p, fit, "expected", "lme4")$record
  made[setdiff(names(made), c("working_weights", "prediction"))]
}

# nAGQ = 0: coefficients inside the inner iteration, so that theta alone is sought. Standard errors
# are those of lme4, from the factor.
pirls_zero <- function(p, tmb) {
  fit_with <- lme4_caller(p$m, p$data, tmb$zeta)
  control <- do.call(glmerControl, c(CHECKS_OFF, list(tolPwrss = 1e-13)))
  devfun <- quietly(fit_with(devFunOnly = TRUE, nAGQ = 0L, control = control))
  rho <- environment(devfun)
  k <- seq_along(p$theta)
  value <- function(theta) {
    devfun(theta)
    for (i in 1:50) {
      before <- c(rho$pp$u(1), rho$pp$beta(1))
      lme4:::RglmerWrkIter(rho$pp, rho$resp)
      if (max(abs(c(rho$pp$u(1), rho$pp$beta(1)) - before)) < 1e-13) break
    }
    rho$pp$updateXwts(rho$resp$sqrtWrkWt())
    rho$pp$updateDecomp()
    rho$resp$Laplace(rho$pp$ldL2(), rho$pp$ldRX2(), rho$pp$sqrL(1))
  }
  unit <- sqrt(diag(solve(tmb$hessian)))[k]
  found <- polish(value, tmb$theta, unit)
  v <- value(found$par)
  fit <- list(theta = found$par, beta = rho$pp$beta(1), zeta = tmb$zeta, u = rho$pp$u(1),
              log_likelihood = -v / 2, gradient = found$size)
  made <- glmm_record(p, fit, "expected", "lme4")$record
  RX <- rho$pp$RX()
  made$se <- I(sqrt(diag(chol2inv(RX))))
  made[setdiff(names(made), "prediction")]
}

glmm_versions <- function() {
  packages <- c("lme4", "glmmTMB", "TMB", "MASS", "Matrix", "jsonlite")
  c(list(R = as.character(getRversion())),
    sapply(packages, function(p) as.character(packageVersion(p)), simplify = FALSE))
}

glmm_reference <- function(m) {
  p <- problem_of(m, model_data(m$data))
  X <- p$X
  c(list(id = m$id, data = m$data, formula = m$formula, python_formula = m$python,
         family = Filter(Negate(is.null), m$family), nAGQ = if (is.null(m$nAGQ)) 1L else m$nAGQ,
         weights = m$weights, offset = m$offset, contrasts = m$contrasts,
         fixed = list(names = I(colnames(X)), x_probe = I(unname(colSums(X * cos(seq_len(nrow(X))))))),
         n_groups = as.list(vapply(p$shell@flist, nlevels, 0L))),
    fits_of(p), list(versions = glmm_versions()))
}

chosen <- if (nzchar(only)) glmms[intersect(strsplit(only, ",")[[1]], names(glmms))] else glmms
failed <- character()
for (m in chosen) {
  record <- NULL
  seconds <- system.time(record <- tryCatch(glmm_reference(m), error = identity))[["elapsed"]]
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-30s %s", m$id, substr(paste(conditionMessage(record), collapse = " "), 1, 300)))
    next
  }
  write_reference(record, file.path(folder, paste0(m$id, ".json")))
  for (key in names(record$fits)) message(sprintf(
    "%-30s %-9s %16.8f  default %.1e  gradient %.0e  glmmTMB %.1e  %5.1f s", m$id, key,
    record$fits[[key]]$log_likelihood,
    if (is.null(record$default$log_likelihood)) NA else record$default$log_likelihood - record$fits[[key]]$log_likelihood,
    record$fits[[key]]$scaled_gradient,
    if (is.null(record$glmmTMB$log_likelihood)) NA else record$glmmTMB$log_likelihood - record$fits[[key]]$log_likelihood,
    seconds))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
