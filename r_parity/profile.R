# Profile likelihood limits, 95 %: r_parity/references/profile/, a file for each model.
#   Rscript r_parity/profile.R [--out r_parity] [--only cbpp,sleepstudy]
#   limits   the roots of D(v) - d - qchisq(.95, 1) to 1e-9, D(v) being the minimum of -2 log L with
#            one parameter held at v: of TMB's function and gradient in glmmTMB (Laplace, and exact
#            for Gaussian responses), of deviances of glm with an offset
#   lme4     confint(profile()) of lme4, whose limits are read off a spline
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(glmmTMB); library(lmerTest, exclude = "lmer")
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_several.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# The root nearest to the start, outwards by steps that double; NA where there is none.
outward <- function(rise, start, step, lower, upper) {
  near <- start
  for (k in 1:12) {
    far <- min(max(near + step, lower), upper)
    there <- rise(far)
    if (is.na(there)) return(NA)
    if (there > 0)
      return(uniroot(rise, sort(c(near, far)), tol = 1e-9)$root)
    if (far %in% c(lower, upper)) return(far)
    near <- far
    step <- 1.5 * step
  }
  NA
}

# Limits of coordinate i of a function with gradient at its minimum.
limits_of <- function(fn, gr, at, i, se) {
  d <- fn(at)
  rest <- at[-i]
  filled <- function(r, v) { full <- at; full[-i] <- r; full[i] <- v; full }
  rise <- function(v) {
    fitted <- tryCatch(
      nlminb(rest, function(r) fn(filled(r, v)), function(r) gr(filled(r, v))[-i],
             control = list(rel.tol = 1e-12, x.tol = 1e-9, eval.max = 2000, iter.max = 1000)),
      error = function(e) NULL)
    if (is.null(fitted)) return(NA)  # a standard deviation too near to zero
    found <- 2 * (fitted$objective - d) - qchisq(.95, 1)
    if (found <= 0) rest <<- fitted$par  # the next ones start within the limits
    found
  }
  one <- function(sign) { rest <<- at[-i]; outward(rise, at[i], sign * 2 * se, -Inf, Inf) }
  c(one(-1), one(1))
}

# glmmTMB's parameters as they are called here: a list of name -> limits.
tmb_limits <- function(fit) {
  obj <- fit$obj
  at <- fit$fit$par
  gr <- function(x) as.vector(obj$gr(x))
  for (k in 1:5) {  # to the tight optimum
    H <- numDeriv::jacobian(gr, at)
    at <- at - solve(H, gr(at))
  }
  H <- numDeriv::jacobian(gr, at)
  se <- sqrt(diag(solve((H + t(H)) / 2)))
  found <- t(vapply(seq_along(at), function(i) limits_of(obj$fn, gr, at, i, se[i]), numeric(2)))
  list(parameter = I(names(at)), estimate = I(unname(at)), lower = I(found[, 1]), upper = I(found[, 2]))
}

glm_limits <- function(formula, data, family) {
  fit <- glm(formula, data = data, family = family, epsilon = 1e-14, maxit = 100)
  X <- model.matrix(fit)
  phi <- if (fit$family$family %in% c("binomial", "poisson")) 1 else summary(fit)$dispersion
  se <- sqrt(diag(vcov(fit)))
  w <- weights(fit, "prior")
  found <- t(vapply(seq_len(ncol(X)), function(j) {
    rise <- function(v) {
      rest <- glm.fit(X[, -j, drop = FALSE], fit$y, w, offset = v * X[, j], family = fit$family,
                      control = list(epsilon = 1e-14, maxit = 100))
      (rest$deviance - fit$deviance) / phi - qchisq(.95, 1)
    }
    c(outward(rise, coef(fit)[j], -2 * se[j], -Inf, Inf),
      outward(rise, coef(fit)[j], 2 * se[j], -Inf, Inf))
  }, numeric(2)))
  list(parameter = I(rep("beta", ncol(X))), estimate = I(unname(coef(fit))),
       lower = I(found[, 1]), upper = I(found[, 2]))
}

lme4_limits <- function(fit) {
  found <- suppressWarnings(suppressMessages(confint(profile(fit))))
  list(names = I(rownames(found)), lower = I(unname(found[, 1])), upper = I(unname(found[, 2])))
}

# Of the coefficients of a linear model by lmer itself: fits to the response less v times a column.
coefficient_limits <- function(data, formula, random, weights = NULL) {
  whole <- lm(as.formula(formula), data)
  X <- model.matrix(whole)
  y <- whole$model[[1]]
  data$.w <- if (is.null(weights)) 1 else data[[weights]]
  fitted_to <- function(shifted, X) {
    data$shifted <- shifted
    data$rest <- X
    fixed <- if (ncol(X)) "0 + rest" else "0"
    lmer(as.formula(paste("shifted ~", fixed, "+", random)), data, REML = FALSE, weights = .w,
         control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9)))
  }
  best <- quietly(fitted_to(y, X))
  se <- sqrt(diag(as.matrix(vcov(best))))
  found <- t(vapply(seq_len(ncol(X)), function(j) {
    rise <- function(v) {
      quietly(deviance(fitted_to(y - v * X[, j], X[, -j, drop = FALSE]))) - deviance(best) -
        qchisq(.95, 1)
    }
    c(outward(rise, fixef(best)[j], -2 * se[j], -Inf, Inf),
      outward(rise, fixef(best)[j], 2 * se[j], -Inf, Inf))
  }, numeric(2)))
  list(parameter = I(rep("beta", ncol(X))), estimate = I(unname(fixef(best))),
       lower = I(found[, 1]), upper = I(found[, 2]))
}
quietly <- function(expr) suppressMessages(suppressWarnings(expr))

only <- strsplit(argument("only", ""), ",")[[1]]
wanted <- function(id) {
  if (length(only) && !(id %in% only)) return(FALSE)
  message(id)
  TRUE
}
keep <- function(id, case) {
  case$versions <- c(versions(), list(glmmTMB = as.character(packageVersion("glmmTMB"))))
  folder <- file.path(out, "references", "profile")
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  write_reference(case, file.path(folder, paste0(id, ".json")))
}
linear <- function(id, data, formula, ..., lme4 = TRUE, tmb = TRUE, shift = NULL) {
  if (!wanted(id)) return()
  d <- model_data(data)
  case <- list(data = data, formula = formula, kind = "linear", ...)
  if (tmb) case$limits <- tmb_limits(suppressWarnings(glmmTMB(as.formula(formula), d)))
  if (length(shift)) case$limits <- coefficient_limits(d, shift[1], shift[2], case$weights)
  if (lme4) {
    spec <- list(formula = formula, method = "ML", weights = case$weights)
    case$lme4 <- lme4_limits(fitter(spec, d)(control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9))))
  }
  keep(id, case)
}
tmb <- function(id, data, formula, family, ..., python = formula, lme4 = FALSE) {
  if (!wanted(id)) return()
  d <- model_data(data)
  more <- list(...)
  fit <- do.call(glmmTMB, c(list(as.formula(formula), data = d, family = family),
                            lapply(more, as.formula)))
  case <- c(list(data = data, formula = python, family = fit$modelInfo$family$family), more)
  case$kind <- "generalised"
  case$limits <- tmb_limits(fit)
  if (lme4) case$lme4 <- lme4_limits(glmer(as.formula(formula), d, family = family,
    control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-10)))
  keep(id, case)
}
plain <- function(id, data, formula, family, ...) {
  if (!wanted(id)) return()
  fam <- get(family)(...)
  limits <- glm_limits(as.formula(formula), model_data(data), fam)
  keep(id, list(data = data, formula = formula, family = family, link = fam$link, kind = "glm",
                limits = limits))
}

linear("sleepstudy", "sleepstudy", "Reaction ~ Days + (Days | Subject)")
linear("sleepstudy_apart", "sleepstudy", "Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)")
linear("dyestuff", "Dyestuff", "Yield ~ 1 + (1 | Batch)")
linear("dyestuff2", "Dyestuff2", "Yield ~ 1 + (1 | Batch)", tmb = FALSE, lme4 = FALSE,
       shift = c("Yield ~ 1", "(1 | Batch)"))
linear("penicillin", "Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
linear("pastes", "Pastes", "strength ~ 1 + (1 | batch/cask)")
linear("cake", "cake", "angle ~ recipe * temperature + (1 | recipe:replicate)", lme4 = FALSE)
linear("machines", "Machines", "score ~ Machine + (1 | Worker/Machine)")
linear("orthodont", "Orthodont", "distance ~ age * Sex + (1 | Subject)")
# lme4's own profiles of these coefficients do not have the weights
linear("weighted", "sim:mixed", "y ~ x + (1 | g)", weights = "w", tmb = FALSE,
       shift = c("y ~ x", "(1 | g)"))
linear("slopes", "sim:mixed", "y ~ x + z + (x | g)", lme4 = FALSE)

tmb("cbpp", "cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)", binomial(), lme4 = TRUE)
tmb("contraception", "Contraception", "use ~ age + I(age^2) + urban + livch + (1 | district)", binomial(),
    python = "use ~ age + I(age**2) + urban + livch + (1 | district)")
tmb("contraception_slope", "Contraception", "use ~ age + urban + (1 + urban | district)", binomial())
tmb("grouseticks", "grouseticks", "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)", poisson())
tmb("nb2", "Salamanders", "count ~ mined + (1 | site)", nbinom2())
tmb("nb1", "Salamanders", "count ~ mined + (1 | site)", nbinom1())
tmb("nb2_disp", "Salamanders", "count ~ mined + (1 | site)", nbinom2(), dispformula = "~ mined")
tmb("zip", "Salamanders", "count ~ mined + (1 | site)", poisson(), ziformula = "~ mined")
tmb("beta", "sim:shares", "y ~ x + (1 | g)", beta_family())
tmb("nb2_plain", "Salamanders", "count ~ mined", nbinom2())
plain("glm_binomial", "Contraception", "use ~ age + urban", "binomial")
plain("glm_poisson", "Salamanders", "count ~ mined + cover", "poisson")
plain("glm_gamma", "Dyestuff", "Yield ~ Batch", "Gamma", link = "log")
