# Influence of rows and groups, and leverages: r_parity/references/influence.json.
#   Rscript r_parity/influence.R [--out r_parity]
# Refits are lme4's (influence.merMod loosely fits the same subsets; here each is tight), what is
# made of them by lme4's and HLMdiag's formulas. With variance parameters held, the coefficients of
# each subset are generalised least squares with the rows and columns of V that remain.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(MASS)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_glmm.R", "lmm_models.R", "tight.R", "collect.R", "glmm_response.R",
               "glmm_tight.R")) source(file.path(here, file))
out <- argument("out", here)
load_template(here, argument("template", file.path(tempdir(), "template")))

variances <- function(fit) {
  vc <- as.data.frame(VarCorr(fit), order = "lower.tri")
  vc$vcov[vc$grp != "Residual"]
}

# HLMdiag's and influence.ME's formulas, from estimates and covariances without each group.
measures <- function(beta, cov, betas, covs) {
  p <- length(beta)
  change <- lapply(betas, function(b) b - beta)
  list(
    dfbeta = do.call(rbind, change),
    dfbetas = do.call(rbind, Map(function(d, V) d / sqrt(diag(V)), change, covs)),
    cooks = vapply(change, function(d) sum(d * solve(cov, d)) / p, 0),
    mdffits = mapply(function(d, V) sum(d * solve(V, d)) / p, change, covs),
    covratio = vapply(covs, function(V) det(V) / det(cov), 0),
    covtrace = vapply(covs, function(V) abs(sum(diag(solve(cov, V))) - p), 0))
}

marginal_variance <- function(fit, weights = NULL) {
  n <- nobs(fit)
  A <- t(getME(fit, "Lambdat")) # Lambda
  ZL <- as.matrix(t(getME(fit, "Zt")) %*% A)
  list(V = diag(1 / if (is.null(weights)) rep(1, n) else weights, n) + tcrossprod(ZL), ZL = ZL)
}

one_step <- function(X, y, V, sigma2, groups) {
  without <- function(keep) {
    W <- solve(V[keep, keep]); Xk <- X[keep, , drop = FALSE]
    C <- solve(t(Xk) %*% W %*% Xk)
    list(beta = as.vector(C %*% t(Xk) %*% W %*% y[keep]), cov = sigma2 * C)
  }
  whole <- without(seq_along(y))
  parts <- lapply(unique(groups), function(g) without(which(groups != g)))
  measures(whole$beta, whole$cov, lapply(parts, `[[`, "beta"), lapply(parts, `[[`, "cov"))
}

# HLMdiag's leverages
leverages <- function(X, V, ZL) {
  W <- solve(V)
  H1 <- X %*% solve(t(X) %*% W %*% X, t(X) %*% W)
  H2 <- tcrossprod(ZL) %*% W %*% (diag(nrow(X)) - H1)
  list(overall = diag(H1) + diag(H2), fixef = diag(H1), ranef = diag(H2),
       ranef_uc = rowSums(ZL^2))
}

linear <- function(data, formula, by, rows = TRUE) {
  d <- model_data(data)
  fit <- tight_fit(fitter(list(formula = formula), d))$tight
  groups <- as.character(d[[by]])
  names <- unique(groups)
  subsets <- lapply(names, function(g) {
    part <- d[groups != g, , drop = FALSE]
    tight_fit(fitter(list(formula = formula), part))$tight
  })
  X <- getME(fit, "X"); y <- getME(fit, "y")
  m <- marginal_variance(fit)
  exact <- measures(fixef(fit), as.matrix(vcov(fit)), lapply(subsets, fixef),
                    lapply(subsets, function(s) as.matrix(vcov(s))))
  exact$sigma2 <- vapply(subsets, function(s) sigma(s)^2, 0)
  exact$variances <- do.call(rbind, lapply(subsets, variances))
  # lme4's Cook's distance of these: another scale than all others'
  g <- length(names); p <- length(fixef(fit))
  exact$lme4_cooks <- exact$cooks * (g - p) / g
  c(list(data = data, formula = formula, by = by, labels = I(names), exact = exact,
         one_step = one_step(X, y, m$V, sigma(fit)^2, groups),
         hat = hatvalues(fit), cooks_rows = cooks.distance(fit), leverage = leverages(X, m$V, m$ZL)),
    if (rows) list(rows = one_step(X, y, m$V, sigma(fit)^2, seq_along(y))))
}

# The tight optimum of the Laplace approximation of each subset, one random intercept.
generalised <- function(data, formula, family, link, by) {
  m <- list(id = data, formula = formula, family = list(name = family, link = link))
  d <- model_data(data)
  fit <- function(part) {
    found <- tight_tmb(problem_of(m, part))
    cov <- solve(found$hessian)
    k <- length(found$theta); at <- k + seq_along(found$beta)
    list(beta = found$beta, cov = cov[at, at], variance = found$theta^2)
  }
  whole <- fit(d)
  groups <- as.character(d[[by]])
  subsets <- lapply(unique(groups), function(g) fit(droplevels(d[groups != g, , drop = FALSE])))
  exact <- measures(whole$beta, whole$cov, lapply(subsets, `[[`, "beta"), lapply(subsets, `[[`, "cov"))
  exact$variances <- do.call(rbind, lapply(subsets, `[[`, "variance"))
  list(data = data, formula = formula, family = family, by = by, labels = I(unique(groups)),
       exact = exact)
}

# R's own, of generalised linear models
plain_glm <- function(data, formula, family) {
  f <- glm(as.formula(formula), family, model_data(data), control = glm.control(1e-15, 100))
  list(data = data, formula = formula, family = family, hat = hatvalues(f), cooks = cooks.distance(f),
       dfbeta = dfbeta(f), dfbetas = dfbetas(f), rstudent = rstudent(f))
}

cases <- list(
  linear = list(
    sleepstudy = linear("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Subject"),
    penicillin = linear("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "sample"),
    penicillin_plate = linear("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "plate", FALSE),
    pastes = linear("Pastes", "strength ~ 1 + (1 | batch / cask)", "batch"),
    orthodont = linear("Orthodont", "distance ~ age * Sex + (age | Subject)", "Subject"),
    machines = linear("Machines", "score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", "Worker")),
  generalised = list(
    cbpp = generalised("cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial",
                       "logit", "herd")),
  glm = list(
    warpbreaks = plain_glm("sleepstudy", "Reaction ~ Days", "gaussian"),
    counts = plain_glm("grouseticks", "TICKS ~ YEAR + cHEIGHT", "poisson")))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "influence.json"))
