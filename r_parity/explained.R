# Shares of variance, dispersion and collinearity: r_parity/references/explained.json.
#   Rscript r_parity/explained.R [--out r_parity] [--template folder of a compiled glmm.cpp]
# Linear models by performance and car; of generalised ones the formulas of Nakagawa, Johnson and
# Schielzeth (2017) at tight optima, with the mean of the null model as in MuMIn.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(MASS); library(performance); library(car)
})
here <- folder_of_script()
for (file in c("simulate.R", "simulate_glmm.R", "lmm_models.R", "tight.R", "collect.R", "glmm_response.R",
               "glmm_tight.R")) source(file.path(here, file))
out <- argument("out", here)
load_template(here, argument("template", file.path(tempdir(), "template")))

vifs <- function(fit) {
  found <- vif(fit)
  if (!is.matrix(found)) found <- cbind(GVIF = found, Df = 1, adjusted = sqrt(found))
  list(terms = I(rownames(found)), gvif = I(unname(found[, 1])), df = I(unname(found[, 2])),
       adjusted = I(unname(found[, 3])))
}

linear <- function(data, formula, python = NULL, collinear = FALSE) {
  fit <- tight_fit(fitter(list(formula = formula), model_data(data)))$tight
  r2 <- r2_nakagawa(fit); shares <- icc(fit, by_group = FALSE)
  c(list(data = data, formula = if (is.null(python)) formula else python,
         marginal = unname(r2$R2_marginal), conditional = unname(r2$R2_conditional),
         icc_adjusted = shares$ICC_adjusted, icc_conditional = shares$ICC_unadjusted),
    if (collinear) list(vif = vifs(fit)))
}

# One random intercept for each factor.
generalised <- function(data, formula, null, family, link) {
  d <- model_data(data)
  fit <- function(f) {
    p <- problem_of(list(id = data, formula = f, family = list(name = family, link = link)), d)
    found <- tight_tmb(p, restarts = 1)
    L <- p$Lambdat; L@x <- found$theta[p$Lind]
    eta <- p$offset + as.vector(p$X %*% found$beta) + as.vector(p$Z %*% t(L) %*% found$u)
    list(p = p, beta = found$beta, theta = found$theta, eta = eta)
  }
  whole <- fit(formula); nothing <- fit(null)
  fixed <- var(as.vector(whole$p$X %*% whole$beta)); random <- sum(whole$theta^2)
  spread <- sum(nothing$theta^2); r <- whole$p$r
  inverse <- if (link == "log") exp else plogis
  mu <- integrate(function(z) inverse(nothing$beta + sqrt(spread) * z) * dnorm(z), -12, 12, rel.tol = 1e-12)$value
  residual <- if (family == "binomial") c(theoretical = pi^2 / 3, delta = 1 / (mu * (1 - mu)))
              else c(lognormal = log1p(1 / mu), delta = 1 / mu, trigamma = trigamma(mu))
  fitted <- inverse(whole$eta); w <- r$weights * r$trials
  V <- if (family == "binomial") fitted * (1 - fitted) else fitted
  chisq <- sum(w * (r$y - fitted)^2 / V); df <- length(fitted) - length(whole$beta) - length(whole$theta)
  list(data = data, formula = formula, family = family, kinds = I(names(residual)),
       marginal = I(unname(fixed / (fixed + random + residual))),
       conditional = I(unname((fixed + random) / (fixed + random + residual))),
       adjusted = I(unname(random / (random + residual))),
       chisq = chisq, df = df, p = pchisq(chisq, df, lower.tail = FALSE))
}

glm_case <- function(data, formula, family) {
  fit <- glm(as.formula(formula), family, model_data(data), control = glm.control(1e-14, 100))
  over <- check_overdispersion(fit)
  c(list(data = data, formula = formula, family = family,
         chisq = over$chisq_statistic, df = over$residual_df, p = over$p_value),
    if (length(attr(terms(fit), "term.labels")) > 1) list(vif = vifs(fit)))
}

cases <- list(
  linear = list(
    sleepstudy = linear("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    penicillin = linear("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    pastes = linear("Pastes", "strength ~ 1 + (1 | batch / cask)"),
    orthodont = linear("Orthodont", "distance ~ age * Sex + (age | Subject)", collinear = TRUE),
    cake = linear("cake", "angle ~ recipe + temp + (1 | recipe:replicate)", collinear = TRUE),
    machines = linear("Machines", "score ~ Machine + (1 | Worker)")),
  generalised = list(
    cbpp = generalised("cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)",
                       "cbind(incidence, size - incidence) ~ 1 + (1 | herd)", "binomial", "logit"),
    ticks = generalised("grouseticks", "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)",
                        "TICKS ~ 1 + (1 | BROOD) + (1 | LOCATION)", "poisson", "log")),
  glm = list(
    ticks = glm_case("grouseticks", "TICKS ~ YEAR + cHEIGHT", "poisson"),
    cbpp = glm_case("cbpp", "cbind(incidence, size - incidence) ~ period", "binomial")))
cases$versions <- c(versions(), list(performance = as.character(packageVersion("performance")),
                                     insight = as.character(packageVersion("insight")),
                                     car = as.character(packageVersion("car"))))
write_reference(cases, file.path(out, "references", "explained.json"))
