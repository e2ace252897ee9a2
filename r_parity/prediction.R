# Predictions, means over the random effects, intervals of observations and cross-validation:
# r_parity/references/prediction.json.
#   Rscript r_parity/prediction.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R", "glmm_tight.R", "several_tight.R")) source(file.path(here, file))
out <- argument("out", here)

tight <- function(formula, d) tight_fit(fitter(list(formula = formula), d))$tight
linear <- function(data, formula) {
  found <- tight(formula, model_data(data))
  found@call <- as.call(list(quote(lme4::lmer), formula = as.formula(formula), data = model_data(data)))
  found
}
generalised <- function(formula, d, family, weights = NULL, ziformula = ~ 0) {
  d$.w <- if (is.null(weights)) 1 else d[[weights]]
  tight_glmmTMB(glmmTMB(as.formula(formula), d, family, weights = .w, ziformula = ziformula))
}
plain <- function(frame) {
  frame <- as.data.frame(frame)
  frame[] <- lapply(frame, function(column) if (is.factor(column)) as.character(column) else column)
  lapply(as.list(frame), I)
}

# -- predict() of lme4, by re.form ---------------------------------------------------------------

by_form <- function(data, formula, forms, rows, new = NULL) {
  fit <- linear(data, formula)
  d <- model_data(data)[rows, all.vars(as.formula(formula)[-2]), drop = FALSE]
  if (!is.null(new)) for (name in names(new)) d[[name]] <- factor(new[[name]])
  predictions <- lapply(forms, function(form) list(
    form = if (identical(form, NA)) "none" else if (is.null(form)) "all" else form,
    prediction = I(unname(predict(
      fit, d, re.form = if (is.character(form)) as.formula(form) else form,
      allow.new.levels = !is.null(new))))))
  list(data = data, formula = formula, new = plain(d), predictions = predictions)
}
forms <- list(
  sleepstudy = by_form("sleepstudy", "Reaction ~ Days + (Days | Subject)",
                       list(NULL, NA, "~ (1 | Subject)", "~ (0 + Days | Subject)"), c(1, 15, 170)),
  unknown = by_form("sleepstudy", "Reaction ~ Days + (Days | Subject)", list(NULL), c(3, 12),
                    new = list(Subject = c("308", "other"))),
  penicillin = by_form("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)",
                       list(NULL, NA, "~ (1 | plate)", "~ (1 | sample)"), c(1, 50, 144)),
  pastes = by_form("Pastes", "strength ~ 1 + (1 | batch / cask)",
                   list(NULL, NA, "~ (1 | batch)", "~ (1 | cask:batch)"), c(1, 20, 60)))

# -- means over the random effects, by integrate() -----------------------------------------------

expectation <- function(g, sd) if (sd == 0) g(0) else
  integrate(function(z) vapply(z, function(one) g(sd * one) * dnorm(one), 0), -12, 12,
            rel.tol = 1e-11, subdivisions = 1000L)$value
# Richardson's differences of a mean in all parameters, and the delta method.
mean_and_error <- function(fit, f) {
  par <- fit$fit$par
  gradient <- vapply(seq_along(par), function(j) {
    at <- function(h) { p <- par; p[j] <- p[j] + h; f(p) }
    d <- function(h) (at(h) - at(-h)) / (2 * h)
    (4 * d(5e-4) - d(1e-3)) / 3
  }, 0)
  V <- vcov(fit, full = TRUE)
  c(mean = f(par), se = sqrt(drop(gradient %*% V %*% gradient)))
}
marginal <- function(fit, python, new, inverse, zi = FALSE) {
  X <- model.matrix(lme4::nobars(formula(fit))[-2], new)
  p <- ncol(X)
  rows <- vapply(seq_len(nrow(new)), function(i) mean_and_error(fit, function(par) {
    eta <- sum(X[i, ] * par[seq_len(p)])
    theta <- exp(par[grepl("^theta", names(fit$fit$par))])
    mean <- expectation(function(v) inverse(eta + v), theta[1])
    if (!zi) return(mean)
    b <- par[names(fit$fit$par) == "betazi"]
    mean * expectation(function(v) 1 - plogis(b + v), theta[2])
  }), c(mean = 0, se = 0))
  c(python, list(new = plain(new), mean = I(rows["mean", ]), se = I(rows["se", ])))
}
cbpp <- model_data("cbpp")
herds <- function(link) generalised("incidence / size ~ period + (1 | herd)", cbpp,
                                    binomial(link), "size")
periods <- data.frame(period = factor(c("1", "3"), levels = levels(factor(cbpp$period))))
salamanders <- model_data("Salamanders")
mined <- data.frame(mined = factor(c("yes", "no"), levels = levels(salamanders$mined)))
owls <- model_data("Owls")
food <- data.frame(FoodTreatment = factor(c("Deprived", "Satiated"),
                                          levels = levels(factor(owls$FoodTreatment))))
of_herds <- function(family) list(data = "cbpp", formula = "incidence / size ~ period + (1 | herd)",
                                  family = family, weights = "size")
logit <- herds("logit")
means <- list(
  logit = marginal(logit, of_herds("binomial"), periods, plogis),
  probit = marginal(herds("probit"), of_herds("binomial(probit)"), periods, pnorm),
  cloglog = marginal(herds("cloglog"), of_herds("binomial(cloglog)"), periods,
                     function(x) -expm1(-exp(x))),
  poisson = marginal(generalised("count ~ mined + (1 | site)", salamanders, poisson()),
                     list(data = "Salamanders", formula = "count ~ mined + (1 | site)",
                          family = "poisson"), mined, exp),
  nbinom2 = marginal(generalised("count ~ mined + (1 | site)", salamanders, nbinom2()),
                     list(data = "Salamanders", formula = "count ~ mined + (1 | site)",
                          family = "nbinom2"), mined, exp),
  zeros = marginal(generalised("SiblingNegotiation ~ FoodTreatment + (1 | Nest)", owls, nbinom2(),
                               ziformula = ~ 1 + (1 | Nest)),
                   list(data = "Owls", formula = "SiblingNegotiation ~ FoodTreatment + (1 | Nest)",
                        family = "nbinom2", ziformula = "~ 1 + (1 | Nest)"), food, exp, TRUE))

# -- intervals of an observation of a new level: quantiles of the mixture ------------------------

observation <- function(fit, python, new, distribution, whole, trials = NULL) {
  new[[names(fit$modelInfo$reTrms$cond$flist)]] <- NA
  new$.w <- 1
  at <- predict(fit, new, type = "link", re.form = NA, se.fit = TRUE)
  spread <- sqrt(at$se.fit^2 + c(VarCorr(fit)$cond[[1]]))
  limits <- vapply(seq_along(spread), function(i) vapply(c(0.025, 0.975), function(p) {
    F <- function(y) expectation(function(v) distribution(y, at$fit[i] + v), spread[i])
    if (!whole) return(uniroot(function(y) F(y) - p, c(1e-8, 1e5), tol = 1e-10)$root)
    y <- 0
    while (F(y) < p) y <- y + 1
    y
  }, 0), c(0, 0))
  c(python, list(new = plain(new[python$variables]), trials = trials, lower = I(limits[1, ]),
                 upper = I(limits[2, ])))
}
ticks <- model_data("grouseticks")
wait <- generalised("Reaction ~ Days + (1 | Subject)", model_data("sleepstudy"), Gamma("log"))
observations <- list(
  cbpp = observation(logit, c(of_herds("binomial"), list(variables = I("period"))), periods,
                     function(y, eta) pbinom(y, 10, plogis(eta)), TRUE, trials = 10),
  poisson = observation(
    generalised("TICKS ~ YEAR + (1 | BROOD)", ticks, poisson()),
    list(data = "grouseticks", formula = "TICKS ~ YEAR + (1 | BROOD)", family = "poisson",
         variables = I("YEAR")),
    data.frame(YEAR = factor(c("95", "96", "97"), levels = levels(factor(ticks$YEAR)))),
    function(y, eta) ppois(y, exp(eta)), TRUE),
  gamma = observation(
    wait, list(data = "sleepstudy", formula = "Reaction ~ Days + (1 | Subject)",
               family = "gamma(log)", variables = I("Days")), data.frame(Days = c(0, 9)),
    function(y, eta) pgamma(y, 1 / sigma(wait)^2, scale = exp(eta) * sigma(wait)^2), FALSE))

# -- cross-validation by refits ------------------------------------------------------------------

by_subject <- function(data, formula, group) {
  d <- model_data(data)
  bars <- lme4::findbars(as.formula(formula))[[1]]
  folds <- lapply(levels(factor(d[[group]])), function(label) {
    held <- d[[group]] == label
    fit <- tight(formula, droplevels(d[!held, ]))
    rows <- d[held, ]
    mean <- predict(fit, rows, re.form = NA)
    X <- model.matrix(lme4::nobars(as.formula(formula)), rows)
    Z <- model.matrix(as.formula(call("~", bars[[2]])), rows)
    S <- as.matrix(VarCorr(fit)[[group]])[seq_len(ncol(Z)), seq_len(ncol(Z))]
    variance <- diag(X %*% as.matrix(vcov(fit)) %*% t(X)) + diag(Z %*% S %*% t(Z)) + sigma(fit)^2
    y <- rows[[all.vars(as.formula(formula))[1]]]
    list(label = label, rmse = sqrt(mean((y - mean)^2)),
         log_score = mean(dnorm(y, mean, sqrt(variance), log = TRUE)))
  })
  list(data = data, formula = formula, group = group, label = I(vapply(folds, `[[`, "", "label")),
       rmse = I(vapply(folds, `[[`, 0, "rmse")), log_score = I(vapply(folds, `[[`, 0, "log_score")))
}
by_herd <- function() {
  folds <- lapply(levels(factor(cbpp$herd)), function(label) {
    held <- cbpp$herd == label
    fit <- generalised("incidence / size ~ period + (1 | herd)", droplevels(cbpp[!held, ]),
                       binomial(), "size")
    rows <- cbpp[held, ]
    rows$.w <- 1
    at <- predict(fit, rows, type = "link", re.form = NA, se.fit = TRUE, allow.new.levels = TRUE)
    sd <- sqrt(c(VarCorr(fit)$cond[[1]]))
    mean <- vapply(at$fit, function(eta) expectation(function(v) plogis(eta + v), sd), 0)
    density <- vapply(seq_along(mean), function(i) log(expectation(function(v)
      dbinom(rows$incidence[i], rows$size[i], plogis(at$fit[i] + v)),
      sqrt(at$se.fit[i]^2 + sd^2))), 0)
    c(sqrt(mean((rows$incidence / rows$size - mean)^2)), mean(density))
  })
  c(of_herds("binomial"), list(group = "herd", label = I(levels(factor(cbpp$herd))),
                               rmse = I(vapply(folds, `[`, 0, 1)),
                               log_score = I(vapply(folds, `[`, 0, 2))))
}
folds <- list(
  sleepstudy = by_subject("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Subject"),
  orthodont = by_subject("Orthodont", "distance ~ age * Sex + (1 | Subject)", "Subject"),
  cbpp = by_herd())

reference <- list(forms = forms, means = means, observations = observations, folds = folds,
                  versions = versions())
write_reference(reference, file.path(out, "references", "prediction.json"))
