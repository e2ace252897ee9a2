# What is kept of one fit: see the table in README.md.

FULL_ROWS <- 1000     # with more rows than this, values by row are the first KEPT_ROWS and sums
KEPT_ROWS <- 200
FULL_MODES <- 300     # likewise for levels of a grouping factor
KEPT_MODES <- 50
DENSE_LIMIT <- 700    # prediction standard errors need a dense matrix of this order at most

model_data <- function(name) {
  if (startsWith(name, "sim:")) return(simulated[[sub("sim:", "", name)]])
  for (package in c("lme4", "nlme", "mlmRev", "lmerTest", "MASS", "glmmTMB", "ordinal")) {
    env <- new.env()
    suppressWarnings(data(list = name, package = package, envir = env))
    if (!is.null(env[[name]])) return(as.data.frame(env[[name]]))
  }
  stop("no data set ", name)
}

shortened <- function(x, full, kept) {
  x <- unname(x)
  list(n = length(x), sum = sum(x), sum_of_squares = sum(x^2),
       values = I(if (length(x) <= full) x else x[seq_len(kept)]))
}
by_row <- function(x) shortened(x, FULL_ROWS, KEPT_ROWS)

# A function that fits the model with further arguments to lmer; the data and the formula are in
# the call as symbols of the global environment, where lmerTest looks for them.
fitter <- function(m, data) {
  assign("reference_data", data, globalenv())
  formula <- as.formula(m$formula, env = globalenv())
  assign("reference_formula", formula, globalenv())
  call <- list(quote(lme4::lmer), quote(reference_formula), data = quote(reference_data),
               REML = !identical(m$method, "ML"))
  if (!is.null(m$weights)) call$weights <- as.name(m$weights)
  if (!is.null(m$offset)) call$offset <- as.name(m$offset)
  if (!is.null(m$contrasts)) call$contrasts <- lapply(m$contrasts, function(k) paste0("contr.", k))
  function(...) eval(as.call(c(call, list(...))), globalenv())
}

# -- pieces of a fit, by definition rather than by accessor -----------------------------------------
# Joint precision of (u, beta) over sigma^2; its inverse gives conditional SDs and prediction SEs.
joint_inverse <- function(fit) {
  Lambda <- getME(fit, "Lambda")
  ZLam <- getME(fit, "Z") %*% Lambda
  X <- getME(fit, "X")
  w <- weights(fit)
  M <- as.matrix(crossprod(ZLam, w * ZLam))
  diag(M) <- diag(M) + 1
  list(Lambda = Lambda, M_inv = chol2inv(chol(M)), ZtWX = as.matrix(crossprod(ZLam, w * X)),
       XtWX = crossprod(X, w * X), sigma = sigma(fit))
}

conditional_sd <- function(joint) {
  half <- as.matrix(joint$Lambda %*% joint$M_inv)
  joint$sigma * sqrt(pmax(0, rowSums(half * as.matrix(joint$Lambda))))
}

term_records <- function(fit, sd_of_modes) {
  cnms <- fit@cnms
  groups <- names(cnms)
  Gp <- fit@Gp
  b <- as.vector(getME(fit, "b"))
  components <- VarCorr(fit)
  lapply(seq_along(cnms), function(t) {
    rows <- seq(Gp[t] + 1, Gp[t + 1])
    term_record(groups[t], cnms[[t]], levels(fit@flist[[groups[t]]]), b[rows], sd_of_modes[rows],
                attr(components[[t]], "stddev"), attr(components[[t]], "correlation"))
  })
}

term_record <- function(group, names, levels, b, sd_of_modes, sd, correlation, full = FULL_MODES,
                        first = KEPT_MODES) {
  modes <- matrix(b, ncol = length(names), byrow = TRUE)
  sds <- matrix(sd_of_modes, ncol = length(names), byrow = TRUE)
  kept <- if (length(levels) > full) seq_len(first) else seq_along(levels)
  list(group = group, names = I(names), n_levels = length(levels), sd = I(unname(sd)),
       correlation = unname(correlation), levels = I(levels[kept]),
       modes = modes[kept, , drop = FALSE], sd_modes = sds[kept, , drop = FALSE],
       sum_modes = I(colSums(modes)), sum_of_squares_modes = I(colSums(modes^2)),
       sum_of_squares_sd_modes = I(colSums(sds^2)))
}

# lme4's own conditional SDs, where it gives them, must be those computed here.
check_against_ranef <- function(fit, records) {
  groups <- vapply(records, `[[`, "", "group")
  own <- ranef(fit, condVar = TRUE)
  for (r in records[!groups %in% groups[duplicated(groups)]]) {
    variance <- attr(own[[r$group]], "postVar")
    levels <- match(r$levels, rownames(own[[r$group]]))
    theirs <- vapply(seq_along(r$names), function(i) sqrt(pmax(0, variance[i, i, levels])),
                     numeric(length(levels)))
    stopifnot(all.equal(as.vector(theirs), as.vector(r$sd_modes), tolerance = 1e-7),
              all.equal(unname(as.matrix(own[[r$group]])[levels, ]), r$modes[, ], tolerance = 1e-9,
                        check.attributes = FALSE))
  }
}

# -- predictions ------------------------------------------------------------------------------------
# Rows from across the data, each with a covariate of another row, and two rows of unseen groups.
new_rows <- function(fit, data) {
  response <- all.vars(formula(fit)[[2]])
  variables <- setdiff(intersect(all.vars(formula(fit)), names(data)), response)
  complete <- data[rownames(model.frame(fit)), , drop = FALSE]
  at <- unique(round(seq(1, nrow(complete), length.out = 6)))
  frame <- complete[c(at, at[1], at[2]), variables, drop = FALSE]
  fixed <- all.vars(formula(fit, fixed.only = TRUE))
  for (v in setdiff(fixed, response))
    if (is.numeric(frame[[v]])) frame[[v]] <- frame[[v]][c(2:nrow(frame), 1)]
  grouping <- unique(unlist(strsplit(names(fit@flist), ":")))
  last <- nrow(frame)
  for (v in setdiff(grouping, fixed)) {
    x <- frame[[v]]
    if (is.factor(x)) {
      frame[[v]] <- factor(c(as.character(x[-last]), "unseen"), c(levels(x), "unseen"),
                           ordered = is.ordered(x))
    } else if (is.character(x)) frame[[v]][last] <- "unseen"
    else if (is.numeric(x)) frame[[v]][last] <- 999
  }
  rownames(frame) <- NULL
  frame
}

fixed_matrix <- function(fit, frame) {
  terms <- delete.response(terms(fit, fixed.only = TRUE))
  used <- model.frame(fit, fixed.only = TRUE)
  levels <- lapply(Filter(function(x) is.factor(x) || is.character(x), used), function(x) levels(factor(x)))
  levels <- levels[names(levels) %in% vapply(as.list(attr(terms, "variables"))[-1], deparse, "")]
  X <- getME(fit, "X")
  M <- model.matrix(terms, model.frame(terms, frame, xlev = levels),
                    contrasts.arg = attr(X, "contrasts"))
  M[, colnames(X), drop = FALSE]
}

prediction_record <- function(fit, data, joint) {
  frame <- new_rows(fit, data)
  population <- unname(predict(fit, frame, re.form = NA))
  conditional <- unname(predict(fit, frame, allow.new.levels = TRUE))
  X <- fixed_matrix(fit, frame)
  offset <- population - as.vector(X %*% fixef(fit))
  stopifnot(is_offset(fit) || max(abs(offset)) < 1e-8 * max(abs(population)))
  record <- list(columns = lapply(as.list(frame), function(x) {
    list(kind = column_kind(x), values = I(if (is.factor(x)) as.character(x) else x))
  }), population = population, conditional = conditional,
  population_se = sqrt(rowSums((X %*% as.matrix(vcov(fit))) * X)))
  if (nrow(joint$M_inv) + ncol(X) <= DENSE_LIMIT) {
    Z <- new_Z(fit, data, frame)
    P <- rbind(cbind(chol2inv(chol(joint$M_inv)), joint$ZtWX), cbind(t(joint$ZtWX), joint$XtWX))
    design <- cbind(as.matrix(Z %*% joint$Lambda), X)
    stopifnot(all.equal(conditional, as.vector(design[, seq_len(ncol(Z))] %*% getME(fit, "u") +
                                                 X %*% fixef(fit)) + offset, tolerance = 1e-10))
    record$conditional_se <- joint$sigma * sqrt(colSums(t(design) * solve(P, t(design))))
  }
  record
}
is_offset <- function(fit) any(getME(fit, "offset") != 0)

# Z of new rows in the columns of the fit. It is made by the formula from old and new rows together;
# columns of levels that the fit does not know are left out: their effect is predicted as 0, without
# variance, as lme4 does.
new_Z <- function(fit, data, frame) {
  old <- data[rownames(model.frame(fit)), names(frame), drop = FALSE]
  for (v in names(frame)) if (is.factor(frame[[v]])) levels(old[[v]]) <- levels(frame[[v]])
  both <- rbind(old, frame)
  for (v in all.vars(formula(fit)[[2]])) both[[v]] <- 1
  ignore <- lmerControl(check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore",
                        check.nlev.gtr.1 = "ignore", check.nobs.vs.rankZ = "ignore",
                        check.rankX = "silent.drop.cols")
  made <- lFormula(formula(fit), both, control = ignore)$reTrms
  key <- function(groups, cnms) paste(groups, vapply(cnms, paste, "", collapse = "|"))
  from <- match(key(names(fit@cnms), fit@cnms), key(names(made$cnms), made$cnms))
  rows <- nrow(old) + seq_len(nrow(frame))
  Z <- matrix(0, nrow(frame), ncol(getME(fit, "Z")))
  for (t in seq_along(from)) {
    k <- length(fit@cnms[[t]])
    known <- levels(fit@flist[[names(fit@cnms)[t]]])
    have <- levels(made$flist[[names(made$cnms)[from[t]]]])
    for (l in seq_along(known)) {
      column <- made$Gp[from[t]] + (match(known[l], have) - 1) * k + seq_len(k)
      Z[, fit@Gp[t] + (l - 1) * k + seq_len(k)] <- t(as.matrix(made$Zt[column, rows, drop = FALSE]))
    }
  }
  Z
}

# -- lmerTest ---------------------------------------------------------------------------------------
satterthwaite_record <- function(fit, devfun) {
  messages <- character()
  record <- tryCatch(withCallingHandlers({
    model <- lmerTest:::as_lmerModLT(fit, devfun)
    table <- coef(summary(model))
    list(coefficients = list(names = I(rownames(table)), df = I(unname(table[, "df"])),
                             t = I(unname(table[, "t value"])), p = I(unname(table[, "Pr(>|t|)"]))),
         anova = lapply(c(I = 1, II = 2, III = 3), function(type) {
           table <- suppressMessages(anova(model, type = type))
           if (nrow(table)) list(
             terms = I(trimws(rownames(table))), sum_sq = I(table[["Sum Sq"]]), num_df = I(table$NumDF),
             den_df = I(table$DenDF), F = I(table[["F value"]]), p = I(table[["Pr(>F)"]]))
         }))
  }, warning = function(w) {
    messages <<- c(messages, conditionMessage(w))
    invokeRestart("muffleWarning")
  }), error = function(e) {
    messages <<- c(messages, conditionMessage(e))
    list()
  })
  c(record, list(messages = I(messages)))
}

# lmerTest differentiates with absolute steps and drops absolute eigenvalues and contrasts below
# 1e-8 and 1e-6, which is wrong for a covariate in units of 1e6 or 1e-6. Degrees of freedom, t, F and
# sums of squares do not depend on the unit: they are taken from the same model in usual units.
satterthwaite_in_usual_units <- function(m, data, fit) {
  m$formula <- m$lmertest_as
  usual <- tight_fit(fitter(m, data))
  record <- satterthwaite_record(usual$tight, usual$devfun)
  record$coefficients$names <- I(names(fixef(fit)))
  terms <- attr(terms(fit), "term.labels")
  for (type in names(record$anova)) record$anova[[type]]$terms <- I(terms)
  c(record, list(formula = m$lmertest_as))
}

versions <- function() {
  packages <- c("lme4", "lmerTest", "Matrix", "nloptr", "minqa", "numDeriv", "jsonlite")
  c(list(R = as.character(getRversion())),
    sapply(packages, function(p) as.character(packageVersion(p)), simplify = FALSE))
}

# -- the record -------------------------------------------------------------------------------------
reference <- function(m, data) {
  fit_with <- fitter(m, data)
  found <- tight_fit(fit_with, restarts = if (is.null(m$restarts)) 3 else m$restarts, start = m$start)
  fit <- found$tight
  X <- getME(fit, "X")
  joint <- joint_inverse(fit)
  terms <- term_records(fit, conditional_sd(joint))
  check_against_ranef(fit, terms)
  REML <- isREML(fit)
  list(
    id = m$id, data = m$data, formula = m$formula, python_formula = m$python, method = if (REML) "REML" else "ML",
    weights = m$weights, offset = m$offset, contrasts = m$contrasts,
    identified = is.null(m$identified) || m$identified,
    criterion = list(default = criterion_of(found$default), tight = criterion_of(fit),
                     scaled_gradient = found$gradient, curvature = I(found$curvature),
                     restart_spread = found$restart_spread,
                     default_evaluations = found$default@optinfo$feval,
                     messages = I(found$messages)),
    singular = isSingular(fit),
    fixed = list(names = I(names(fixef(fit))), beta = I(unname(fixef(fit))),
                 se = I(unname(sqrt(diag(as.matrix(vcov(fit)))))), vcov = unname(as.matrix(vcov(fit))),
                 # a sum that tells columns of X apart and says which is which
                 x_probe = I(unname(colSums(X * cos(seq_len(nrow(X)))))),
                 dropped = I(as.character(names(attr(X, "col.dropped"))))),
    default = list(beta = I(unname(fixef(found$default))), theta = I(unname(getME(found$default, "theta"))),
                   sigma = sigma(found$default)),
    theta = I(unname(getME(fit, "theta"))), theta_names = I(names(getME(fit, "theta"))),
    sigma = sigma(fit), terms = terms,
    log_likelihood = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"), aic = AIC(fit), bic = BIC(fit),
    nobs = nobs(fit), df_residual = df.residual(fit), n_groups = as.list(ngrps(fit)),
    fitted = by_row(fitted(fit)),
    residuals = sapply(c("response", "pearson", "deviance", "working"), simplify = FALSE,
                       function(type) by_row(residuals(fit, type = type))),
    hat = if (nobs(fit) <= FULL_ROWS) by_row(hatvalues(fit)),
    cooks = if (nobs(fit) <= FULL_ROWS) by_row(cooks.distance(fit)),
    prediction = prediction_record(fit, data, joint),
    wald = unname(confint(fit, method = "Wald", parm = "beta_")),
    satterthwaite = if (is.null(m$lmertest_as)) satterthwaite_record(fit, found$devfun)
                    else satterthwaite_in_usual_units(m, data, fit),
    versions = versions())
}

write_reference <- function(record, path) {
  record <- record[!vapply(record, is.null, TRUE)]
  text <- vapply(names(record), function(key) {
    paste0(jsonlite::toJSON(key, auto_unbox = TRUE), ": ",
           jsonlite::toJSON(record[[key]], auto_unbox = TRUE, digits = NA, na = "null", null = "null"))
  }, "")
  con <- file(path, "wb")
  writeLines(enc2utf8(c("{", paste0(text, c(rep(",", length(text) - 1), "")), "}")), con, useBytes = TRUE)
  close(con)
}
