# Writes r_parity/references/residual/<id>.json: linear models with correlated residuals or unequal variances, by
# nlme and by dense algebra at the tight optimum.
#   Rscript r_parity/residual.R [--out r_parity] [--only id,id]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(nlme)
})
here <- folder_of_script()
for (file in c("simulate.R", "collect.R", "glmm_tight.R", "several_collect.R", "residual_models.R", "residual_tight.R"))
  source(file.path(here, file))
out <- argument("out", here)
only <- argument("only", "")
folder <- file.path(out, "references", "residual")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

nlme_fit <- function(m, data) {
  assign("reference_data", data, globalenv())
  text <- function(x) if (!is.null(x)) eval(str2lang(x), globalenv())
  arguments <- list(text(deparse1(lme4::nobars(as.formula(m$formula)))), data = quote(reference_data), method = m$method,
                    correlation = text(m$r_correlation), weights = text(m$r_variance))
  if (is.null(m$random))
    return(do.call(nlme::gls, c(arguments, list(control = nlme::glsControl(
      tolerance = 1e-10, msTol = 1e-12, maxIter = 500, msMaxIter = 1000, opt = "nlminb")))))
  do.call(nlme::lme, c(arguments, list(random = text(m$random), control = nlme::lmeControl(
    tolerance = 1e-10, msTol = 1e-12, maxIter = 500, msMaxIter = 1000, msMaxEval = 2000, niterEM = 50, opt = "nlminb"))))
}

nlme_answer <- function(m, data) {
  fit <- tryCatch(quietly(nlme_fit(m, data)), error = function(e) conditionMessage(e))
  if (is.character(fit)) return(list(error = fit))
  parameters <- function(x) if (length(x)) I(unname(coef(x, unconstrained = FALSE)))
  answer <- list(
    log_likelihood = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"),
    beta = I(unname(if (inherits(fit, "lme")) fixef(fit) else coef(fit))), se = I(unname(sqrt(diag(vcov(fit))))),
    printed_se = I(unname(summary(fit)$tTable[, "Std.Error"])), sigma = fit$sigma,
    correlation = parameters(fit$modelStruct$corStruct), variance = parameters(fit$modelStruct$varStruct),
    variance_names = if (!is.null(fit$modelStruct$varStruct)) as.list(names(coef(fit$modelStruct$varStruct, unconstrained = FALSE))),
    normalised = several_by_row(as.vector(residuals(fit, type = "normalized"))),
    pearson = several_by_row(as.vector(residuals(fit, type = "pearson"))),
    fitted = several_by_row(as.vector(fitted(fit))))
  if (isTRUE(m$intervals)) answer$intervals <- tryCatch(
    lapply(unclass(intervals(fit)), function(x) {
      if (is.list(x)) x <- do.call(rbind, x)
      x <- as.matrix(x)
      list(names = if (!is.null(rownames(x))) I(rownames(x)), values = unname(x))
    }), error = function(e) NULL)
  Filter(Negate(is.null), answer)
}

# Derivative of a vector function, by Richardson's extrapolation.
natural_se <- function(natural, x, V) {
  if (!length(x)) return(numeric())
  J <- numDeriv::jacobian(natural, x)
  sqrt(pmax(0, diag(J %*% V %*% t(J))))
}

residual_terms <- function(p, par, state, modes) {
  shell <- p$shell
  if (is.null(shell)) return(NULL)
  Lambda <- as.matrix(Lambda_at(p$lambda, par[seq_along(p$theta)])) * state$sigma
  R <- state$R * state$sigma^2
  ZL <- p$Z %*% Lambda
  inner <- solve(diag(ncol(ZL)) + crossprod(ZL, solve(R, ZL)))
  sds <- sqrt(rowSums((Lambda %*% inner) * Lambda))
  Gp <- shell@Gp
  lapply(seq_along(shell@cnms), function(t) {
    rows <- seq(Gp[t] + 1, Gp[t + 1])
    group <- names(shell@cnms)[t]
    group <- sub("[.][0-9]+$", "", group)
    k <- length(shell@cnms[[t]])
    S <- tcrossprod(Lambda[rows[seq_len(k)], rows[seq_len(k)], drop = FALSE])
    term_record(group, shell@cnms[[t]], levels(shell@flist[[group]]), modes$b[rows], sds[rows], sqrt(diag(S)),
                if (all(diag(S) > 1e-12)) cov2cor(S) else diag(k), full = 24, first = 12)
  })
}

residual_reference <- function(m) {
  data <- get(data(list = m$data, package = "nlme", envir = environment()))
  theirs <- nlme_answer(m, data)
  found <- residual_tight(m, as.data.frame(data))
  p <- found$p
  par <- found$par
  state <- residual_state(p, par, found$fitted)
  modes <- residual_modes(p, par, state)
  k <- length(p$theta)
  at <- list(correlation = k + seq_len(p$correlation$k), variance = k + p$correlation$k + seq_len(p$variance$k))
  V <- if (length(par)) solve(found$hessian) else matrix(0, 0, 0)
  natural <- function(part) {
    own <- at[[part]]
    if (length(own)) Filter(Negate(is.null), list(reference = if (part == "variance") p$variance$reference,
                          names = if (part == "variance" && !is.null(p$variance$names)) I(p$variance$names),
                          values = I(p[[part]]$natural(par[own])),
                          se = I(natural_se(p[[part]]$natural, par[own], V[own, own, drop = FALSE]))))
  }
  e <- p$y - modes$fitted
  C <- state$R / outer(state$d, state$d)
  # nlme's normalised residuals: by the inverse of the transposed root of each group's correlation
  normalised <- as.vector(backsolve(chol(C), e / state$d, transpose = TRUE)) / state$sigma
  vcov <- state$sigma^2 * state$XtX_inv
  list(
    id = m$id, data = m$data, formula = m$formula, method = m$method, correlation = m$correlation, variance = m$variance,
    r = Filter(Negate(is.null), list(random = m$random, correlation = m$r_correlation, variance = m$r_variance)),
    log_likelihood = state$log_likelihood, df = length(par) + ncol(p$X) + 1, nobs = length(p$y),
    gradient = max(abs(found$gradient)), restart_spread = found$restart_spread,
    fixed = list(names = I(colnames(p$X)), values = I(state$beta), se = I(sqrt(diag(vcov))), vcov = unname(vcov),
                 x_probe = I(unname(colSums(p$X * cos(seq_len(nrow(p$X))))))),
    sigma = state$sigma, correlation_parameters = natural("correlation"), variance_parameters = natural("variance"),
    sds = several_by_row(state$sigma * state$d), theta = I(par[seq_len(k)]), terms = residual_terms(p, par, state, modes),
    fitted = several_by_row(modes$fitted), residuals = several_by_row(e), normalised = several_by_row(normalised),
    nlme = theirs,
    versions = c(list(R = as.character(getRversion())), sapply(c("nlme", "lme4", "numDeriv", "jsonlite"),
                 function(p) as.character(packageVersion(p)), simplify = FALSE)))
}

chosen <- if (nzchar(only)) residuals_of[intersect(strsplit(only, ",")[[1]], names(residuals_of))] else residuals_of
failed <- character()
for (m in chosen) {
  record <- NULL
  seconds <- system.time(record <- tryCatch(residual_reference(m), error = identity))[["elapsed"]]
  if (inherits(record, "error")) {
    failed <- c(failed, m$id)
    message(sprintf("%-32s %s", m$id, substr(paste(format(record), collapse = " "), 1, 300)))
    next
  }
  write_reference(record, file.path(folder, paste0(m$id, ".json")))
  theirs <- record$nlme
  gap <- if (is.null(theirs$error)) theirs$log_likelihood - record$log_likelihood else NA
  message(sprintf("%-32s %16.8f  nlme %.1e  sigma %.1e  normalised %.1e  gradient %.0e  spread %.0e  %5.1f s %s", m$id,
                  record$log_likelihood, gap, if (is.na(gap)) NA else theirs$sigma / record$sigma - 1,
                  if (is.na(gap)) NA else max(abs(theirs$normalised$values - record$normalised$values)),
                  record$gradient, if (is.null(record$restart_spread)) NA else record$restart_spread, seconds,
                  if (is.null(theirs$error)) "" else theirs$error))
}
if (length(failed)) stop("no reference for ", paste(failed, collapse = ", "))
