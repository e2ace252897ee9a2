# The generalised linear models of the references.
#   id, data      a data set of a package, "sim:" and a name of simulate.R, or a data frame
#   family, link  names of this package; a number is the exponent of a power link
#   python        the formula in Python, when it is not the text of R's
#   theta         held fixed (negative binomial); estimated otherwise
#   weights, offset   names of columns
#   start         coefficients for R to start from, where its own start leaves the range of the mean
#   against       a smaller model for anova()

models <- list()
model <- function(id, data, formula, family, link, ...) {
  stopifnot(is.null(models[[id]]))
  models[[id]] <<- c(list(id = id, data = data, formula = formula, family = family, link = link),
                     list(...))
}

cbind_cbpp <- "cbind(incidence, size - incidence) ~ period"
model("binomial_logit", "cbpp", cbind_cbpp, "binomial", "logit",
      against = "cbind(incidence, size - incidence) ~ 1")
for (link in c("probit", "cauchit", "cloglog"))
  model(paste0("binomial_", link), "cbpp", paste(cbind_cbpp, "+ size"), "binomial", link,
        against = cbind_cbpp)
for (link in c("log", "identity"))
  model(paste0("binomial_", link), "cbpp", "cbind(incidence, size - incidence) ~ size", "binomial",
        link, start = if (link == "log") c(-2, 0) else c(.2, 0))
model("binomial_ratio", "cbpp", "incidence/size ~ period", "binomial", "logit", weights = "size",
      python = "incidence / size ~ period")
model("binomial_herd", "cbpp", "cbind(incidence, size - incidence) ~ period + herd", "binomial",
      "logit", against = "cbind(incidence, size - incidence) ~ herd")
model("binomial_factor", "Contraception", "use ~ age + I(age^2) + urban + livch", "binomial",
      "logit", python = "use ~ age + I(age**2) + urban + livch", against = "use ~ age + urban")
model("binomial_factor_probit", "bacteria", "y ~ trt + week", "binomial", "probit",
      against = "y ~ week")
model("binomial_factor_cloglog", "Contraception", "use ~ age * urban", "binomial", "cloglog")
model("binomial_logical", "sim:mixed", "flag ~ x + f", "binomial", "logit")
model("binomial_logical_cauchit", "sim:mixed", "flag ~ x + f", "binomial", "cauchit")
model("binomial_offset", "sim:mixed", "flag ~ x + z + offset(off)", "binomial", "logit")
model("binomial_no_intercept", "cbpp", "cbind(incidence, size - incidence) ~ 0 + period",
      "binomial", "logit")
model("binomial_rare", data.frame(
  k = c(0L, 1L, 0L, 3L, 1L, 2L), n = c(90000L, 80000L, 70000L, 100000L, 60000L, 50000L),
  x = c(-1, 0, .5, 2, 1, 1.5)), "cbind(k, n - k) ~ x", "binomial", "logit")

epil <- "y ~ Base * trt + Age + Visit"
model("poisson_log", "epil2", epil, "poisson", "log", against = "y ~ Base + trt + Age + Visit")
model("poisson_sqrt", "epil2", "y ~ Base + trt + Visit", "poisson", "sqrt")
model("poisson_identity", "epil2", "y ~ base + trt", "poisson", "identity", start = c(1, .2, 0))
model("poisson_power", "epil2", "y ~ Base + trt", "poisson", 0.4)
model("poisson_offset_formula", "Mmmec", "deaths ~ uvb + offset(log(expected))", "poisson", "log")
model("poisson_offset", "sim:mixed", "round(ypos) ~ x + f", "poisson", "log", offset = "off",
      python = "np.round(ypos) ~ x + f")
model("poisson_no_intercept", "Mmmec", "deaths ~ 0 + uvb + offset(log(expected))", "poisson", "log")
model("poisson_weights", "grouseticks", "TICKS ~ YEAR + cHEIGHT", "poisson", "log",
      weights = "HEIGHT")
model("poisson_large", "Mmmec", "round(deaths * 10000) ~ uvb + nation", "poisson", "log",
      python = "np.round(deaths * 10000) ~ uvb + nation")

for (link in c("inverse", "identity", "log"))
  model(paste0("gamma_", link), "sleepstudy", "Reaction ~ Days", "gamma", link,
        against = "Reaction ~ 1")
model("gamma_power", "sleepstudy", "Reaction ~ Days", "gamma", 0.3)
model("gamma_weights", "sim:mixed", "ypos ~ x + f", "gamma", "log", weights = "w",
      against = "ypos ~ x")
model("gamma_offset", "sim:mixed", "ypos ~ x + f + offset(0.1 * off)", "gamma", "log")
for (link in c("1/mu^2", "inverse", "identity", "log"))
  model(paste0("inverse_gaussian_", if (link == "1/mu^2") "inverse_square" else link),
        "sleepstudy", "Reaction ~ Days", "inverse_gaussian", link, against = "Reaction ~ 1")
model("inverse_gaussian_weights", "sim:mixed", "ypos ~ f", "inverse_gaussian", "log",
      weights = "w")

model("gaussian_identity", "sleepstudy", "Reaction ~ Days", "gaussian", "identity",
      against = "Reaction ~ 1")
for (link in c("log", "inverse"))
  model(paste0("gaussian_", link), "sleepstudy", "Reaction ~ Days", "gaussian", link)
model("gaussian_weights", "sim:mixed", "y ~ x + f", "gaussian", "identity", weights = "w",
      against = "y ~ x")
model("gaussian_weights_log", "sim:mixed", "ypos ~ f", "gaussian", "log", weights = "w")

model("nb_log", "epil2", epil, "negativebinomial", "log")
model("nb_sqrt", "epil2", "y ~ Base + trt", "negativebinomial", "sqrt")
model("nb_identity", "epil2", "y ~ base + trt", "negativebinomial", "identity",
      start = c(1, .2, 0))
model("nb_salamanders", "Salamanders", "count ~ spp * mined", "negativebinomial", "log")
model("nb_offset", "Mmmec", "deaths ~ uvb + offset(log(expected))", "negativebinomial", "log")
model("nb_weights", "epil2", "y ~ Base + trt", "negativebinomial", "log",
      weights = "period")
model("nb_fixed", "epil2", epil, "negativebinomial", "log", theta = 2,
      against = "y ~ Base + trt + Age + Visit")
