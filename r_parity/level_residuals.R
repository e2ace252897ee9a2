# Residuals by level with HLMdiag's formulas: r_parity/references/level_residuals.json.
#   Rscript r_parity/level_residuals.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({ library(Matrix); library(lme4) })
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

case <- function(data, formula, level, finest, fixed, higher = NULL) {
  d <- model_data(data)
  fit <- tight_fit(fitter(list(formula = formula), d))$tight
  X <- getME(fit, "X"); y <- getME(fit, "y"); g <- getME(fit, "flist")[[finest]]
  n <- length(y); ls <- matrix(NA, n, 4)
  for (rows in split(seq_len(n), g)) {
    own <- X[rows, -1, drop = FALSE]
    own <- own[, apply(own, 2, function(x) any(x != x[1])), drop = FALSE]
    part <- if (ncol(own)) lm(y[rows] ~ own) else lm(y[rows] ~ 1)
    ls[rows, ] <- cbind(resid(part), fitted(part), rstandard(part), resid(part) / sqrt(1 - hatvalues(part)))
  }
  marginal <- as.vector(y - X %*% fixef(fit))
  ZL <- as.matrix(t(getME(fit, "Zt")) %*% t(getME(fit, "Lambdat")))
  V <- sigma(fit)^2 * (tcrossprod(ZL) + diag(n))
  modes <- ranef(fit, condVar = TRUE)[[level]]
  post <- attr(modes, "postVar")
  se <- sqrt(matrix(apply(post, 3, diag), ncol = ncol(modes), byrow = TRUE))
  groups <- as.character(getME(fit, "flist")[[level]])
  coefs <- t(vapply(rownames(modes), function(l) {
    part <- lm(as.formula(fixed), d[groups == l, , drop = FALSE]); coef(part) }, numeric(ncol(X))))
  coefs <- matrix(coefs, nrow(modes), dimnames = list(rownames(modes), colnames(X)))
  coefs <- coefs[, names(modes), drop = FALSE]
  above <- if (is.null(higher)) rep(1, nrow(modes)) else
    as.character(d[[higher]])[match(rownames(modes), groups)]
  centred <- apply(coefs, 2, function(x) x - ave(x, above, FUN = function(v) mean(v, na.rm = TRUE)))
  list(data = data, formula = formula, level = level,
       conditional = I(unname(resid(fit))), standardised = I(unname(resid(fit, scaled = TRUE))),
       ls_resid = I(ls[, 1]), ls_fitted = I(ls[, 2]), std_ls = I(ls[, 3]), semi_ls = I(ls[, 4]),
       marginal = I(marginal), chol = I(as.vector(solve(t(chol(V)), marginal))),
       groups = I(rownames(modes)), ranef = unname(as.matrix(modes)), std_ranef = unname(as.matrix(modes) / se),
       ls = unname(centred))
}

cases <- list(
  sleepstudy = case("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Subject", "Subject", "Reaction ~ Days"),
  orthodont = case("Orthodont", "distance ~ age + (age | Subject)", "Subject", "Subject", "distance ~ age"),
  pastes = case("Pastes", "strength ~ 1 + (1 | batch / cask)", "cask:batch", "cask:batch", "strength ~ 1", "batch"),
  oats = case("Oats", "yield ~ nitro + (1 | Block / Variety)", "Block", "Variety:Block", "yield ~ nitro"),
  penicillin = case("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "sample", "plate", "diameter ~ 1"))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "level_residuals.json"))
