# Models with several linear predictors: id -> data, formula of the mean, family, link, and
#   zi, disp     formulas of the zeros and of the dispersion; without them ~0 and ~1
#   python, python_zi   the formula in Python, when it is not the text of R's
#   reml         TRUE: restricted likelihood
#   weights      a column: multiplies the log-density; divides the dispersion of gaussian and Gamma
#   fixed        parameters of the family that are not estimated, by glmmTMB's name psi
#   start        where to start, if glmmTMB's start is out of range;   restarts   how many more starts, 1
#   edge         why there is no ordinary optimum (a variance estimated as 0)

severals <- list()
several <- function(id, data, formula, family, link = NULL, ...) {
  stopifnot(is.null(severals[[id]]))
  link <- if (is.null(link)) DEFAULT_LINKS[[family]] else link
  severals[[id]] <<- c(list(id = id, data = data, formula = formula, family = family, link = link), list(...))
}
DEFAULT_LINKS <- c(
  gaussian = "identity", t_family = "identity", binomial = "logit", betabinomial = "logit", beta_family = "logit",
  ordbeta = "logit", Gamma = "log", ziGamma = "log", poisson = "log", nbinom1 = "log", nbinom2 = "log",
  genpois = "log", compois = "log", tweedie = "log", truncated_poisson = "log", truncated_nbinom1 = "log",
  truncated_nbinom2 = "log", truncated_genpois = "log", truncated_compois = "log")

# -- the standard examples --------------------------------------------------------------------------
EPIL <- "y ~ Base * trt + Age + Visit"
SPP <- "count ~ spp + mined + (1 | site)"
OWLS <- "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)"
several("T1_salamanders_poisson", "Salamanders", "count ~ spp * mined + (1 | site)", "poisson")
several("T2_salamanders_nbinom2", "Salamanders", "count ~ spp * mined + (1 | site)", "nbinom2")
several("T3_salamanders_nbinom1", "Salamanders", SPP, "nbinom1")
several("T4_salamanders_zinb2", "Salamanders", SPP, "nbinom2", zi = "~ spp + mined")
several("T4b_salamanders_zip", "Salamanders", SPP, "poisson", zi = "~ spp + mined")
several("T5_salamanders_hurdle_nbinom2", "Salamanders", SPP, "truncated_nbinom2", zi = "~ spp + mined")
several("T5b_salamanders_hurdle_poisson", "Salamanders", SPP, "truncated_poisson", zi = "~ spp + mined")
several("T6_salamanders_dispersion", "Salamanders", SPP, "nbinom2", disp = "~ DOY")
several("T7_owls_zip", "Owls", OWLS, "poisson", zi = "~ 1")
several("T7b_owls_zinb1", "Owls", OWLS, "nbinom1", zi = "~ 1")
several("T7c_owls_zinb2", "Owls", OWLS, "nbinom2", zi = "~ 1")
several("T9_sleep_beta", "sim:sleep_share", "r ~ Days + (1 | Subject)", "beta_family")
several("T9b_sleep_beta_dispersion", "sim:sleep_share", "r ~ Days + (1 | Subject)", "beta_family", disp = "~ Days")
several("T10_sleep_gamma", "sleepstudy", "Reaction ~ Days + (1 | Subject)", "Gamma")
several("T11_sleep_gaussian", "sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian", disp = "~ Days")
several("T11r_sleep_gaussian_reml", "sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian",
        disp = "~ Days", reml = TRUE)
several("T12_cbpp_betabinomial", "cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "betabinomial",
        edge = "the variance of herds is estimated as 0")
several("T15_epil_tweedie", "epil2", paste(EPIL, "+ (1 | subject)"), "tweedie")
several("T16_sleep_beta_zeros", "sim:sleep_share", "r0 ~ Days + (1 | Subject)", "beta_family", zi = "~ 1")
several("T17_owls_gamma_hurdle", "Owls", "NegPerChick ~ FoodTreatment * SexParent + (1 | Nest)", "ziGamma",
        zi = "~ FoodTreatment")
GROWTH <- "distance ~ age * Sex + %s(0 + factor(age) | Subject)"
for (structure in c("ar1", "cs", "toep", "us"))
  several(paste0("T19_orthodont_", structure), "Orthodont", sprintf(GROWTH, structure), "gaussian", disp = "~ 0")
several("T20_epil_ar1", "epil2", paste(EPIL, "+ ar1(0 + factor(period) | subject)"), "poisson")

# -- gaussian with a model of the dispersion ----------------------------------------------------------
ERRORS <- "y ~ x + f + (1 | g)"
several("gaussian_disp", "sim:errors", ERRORS, "gaussian", disp = "~ z")
several("gaussian_disp_reml", "sim:errors", ERRORS, "gaussian", disp = "~ z", reml = TRUE)
several("gaussian_disp_factor", "sim:errors", "y ~ x + f + (x | g)", "gaussian", disp = "~ f")
several("gaussian_disp_factor_reml", "sim:errors", "y ~ x + f + (x | g)", "gaussian", disp = "~ f", reml = TRUE)
several("gaussian_disp_crossed", "sim:errors", "y ~ x + f + (1 | g) + (1 | h)", "gaussian", disp = "~ z * f")
several("gaussian_disp_crossed_reml", "sim:errors", "y ~ x + f + (x | g) + (1 | h)", "gaussian", disp = "~ z + f",
        reml = TRUE)
several("gaussian_disp_diag", "sim:errors", "y ~ x + f + diag(x | g)", "gaussian", disp = "~ z")
several("gaussian_disp_weights", "sim:errors", ERRORS, "gaussian", disp = "~ z", weights = "w")
several("gaussian_disp_plain", "sim:errors", "y ~ x + f", "gaussian", disp = "~ z + f")
several("gaussian_disp_plain_reml", "sim:errors", "y ~ x + f", "gaussian", disp = "~ z + f", reml = TRUE)
several("gaussian_log_disp", "sim:errors", "positive ~ x + f + (1 | g)", "gaussian", "log", disp = "~ z",
        start = list(beta = c(1.2, .3, .2, -.2)))
several("gaussian_orthodont_sex", "Orthodont", "distance ~ age * Sex + (1 | Subject)", "gaussian", disp = "~ Sex")
several("gaussian_orthodont_sex_reml", "Orthodont", "distance ~ age * Sex + (age | Subject)", "gaussian",
        disp = "~ Sex", reml = TRUE)
several("gaussian_machines_disp", "Machines", "score ~ Machine + (1 | Worker/Machine)", "gaussian",
        disp = "~ Machine", reml = TRUE)
several("t", "sim:errors", "heavy ~ x + f + (1 | g)", "t_family")
several("t_disp", "sim:errors", "heavy ~ x + f + (1 | g)", "t_family", disp = "~ z")
several("t_slope_crossed", "sim:errors", "heavy ~ x + f + (x | g) + (1 | h)", "t_family")
several("t_df_fixed", "sim:errors", "heavy ~ x + f + (1 | g)", "t_family", disp = "~ z", fixed = log(5))
several("t_plain", "sim:errors", "heavy ~ x + f", "t_family", disp = "~ z")

# -- zero-inflated counts -----------------------------------------------------------------------------
ZIP <- "zip ~ x + f + offset(off) + (1 | g)"
several("zip", "sim:inflated", ZIP, "poisson", zi = "~ 1")
several("zip_covariates", "sim:inflated", ZIP, "poisson", zi = "~ x + z")
several("zip_random_zeros", "sim:inflated", ZIP, "poisson", zi = "~ x + z + (1 | g)")
several("zip_crossed_zeros", "sim:inflated", paste(ZIP, "+ (1 | h)"), "poisson", zi = "~ z + (1 | g) + (1 | h)")
several("zip_slopes_both", "sim:inflated", "zip ~ x + f + offset(off) + (x | g)", "poisson",
        zi = "~ x + z + (x | g)")
several("zip_diag_zeros", "sim:inflated", ZIP, "poisson", zi = "~ x + z + diag(x | g)")
several("zip_only_zeros_random", "sim:inflated", "zip ~ x + f + offset(off)", "poisson", zi = "~ z + (1 | g)")
several("zip_zeros_offset", "sim:inflated", ZIP, "poisson", zi = "~ z + offset(off) + (1 | h)")
several("zip_weights", "sim:inflated", ZIP, "poisson", zi = "~ z", weights = "w")
several("zip_plain", "sim:inflated", "zip ~ x + f + offset(off)", "poisson", zi = "~ x + z")
several("zip_sqrt", "sim:inflated", "zip ~ x + f + (1 | g)", "poisson", "sqrt", zi = "~ z",
        start = list(beta = c(2, .1, .1, -.1)))
several("zip_owls_random_zeros", "Owls", OWLS, "poisson", zi = "~ FoodTreatment + (1 | Nest)")
several("zip_salamanders_random_zeros", "Salamanders", SPP, "poisson", zi = "~ mined + (1 | site)")
several("zip_nested", "sim:layers", "count ~ x + (1 | school/class)", "poisson", zi = "~ 1")
several("zip_cells", "sim:inflated", "zip ~ x + f + offset(off) + diag(0 + f | g)", "poisson", zi = "~ z")
several("zinb1", "sim:inflated", "zinb1 ~ x + f + (1 | g)", "nbinom1", zi = "~ z")
several("zinb1_random_zeros", "sim:inflated", "zinb1 ~ x + f + (1 | g)", "nbinom1", zi = "~ x + (1 | g)")
several("zinb1_disp_crossed", "sim:inflated", "zinb1 ~ x + f + (1 | g) + (1 | h)", "nbinom1", zi = "~ x",
        disp = "~ z")
several("zinb2", "sim:inflated", "zinb2 ~ x + f + (1 | g)", "nbinom2", zi = "~ z")
several("zinb2_random_zeros", "sim:inflated", "zinb2 ~ x + f + (1 | g)", "nbinom2", zi = "~ x + (1 | g)")
several("zinb2_disp_slope", "sim:inflated", "zinb2 ~ x + f + (x | g)", "nbinom2", zi = "~ x", disp = "~ z")
several("zinb2_all_three", "sim:inflated", "zinb2 ~ x + f + (1 | g) + (1 | h)", "nbinom2",
        zi = "~ x + z + (1 | g)",
        disp = "~ f")
several("zinb2_weights", "sim:inflated", "zinb2 ~ x + f + (1 | g)", "nbinom2", zi = "~ x", weights = "w")
several("zinb2_plain", "sim:inflated", "zinb2 ~ x + f", "nbinom2", zi = "~ x", disp = "~ z")
several("zib", "sim:inflated", "cbind(zk, m - zk) ~ x + (1 | g)", "binomial", zi = "~ 1")
several("zib_random_zeros", "sim:inflated", "cbind(zk, m - zk) ~ x + (1 | g) + (1 | h)", "binomial",
        zi = "~ z + (1 | g)")
several("zib_probit", "sim:inflated", "cbind(zk, m - zk) ~ x + (1 | g)", "binomial", "probit", zi = "~ z")

# -- negative binomial, with models of the dispersion --------------------------------------------------
several("nb1", "sim:inflated", "nb1 ~ x + f + (1 | g)", "nbinom1")
several("nb1_disp", "sim:inflated", "nb1 ~ x + f + (1 | g)", "nbinom1", disp = "~ z")
several("nb1_slope_crossed", "sim:inflated", "nb1 ~ x + f + (x | g) + (1 | h)", "nbinom1")
several("nb1_offset_weights", "sim:inflated", "nb1 ~ x + f + offset(off) + (1 | g)", "nbinom1", weights = "w")
several("nb1_sqrt", "sim:inflated", "nb1 ~ x + f + (1 | g)", "nbinom1", "sqrt",
        start = list(beta = c(1.6, .2, .1, -.1)))
several("nb1_identity", "sim:positive", "over ~ x + f + (1 | g)", "nbinom1", "identity",
        start = list(beta = c(6, 1, 1)))
several("nb1_plain", "sim:inflated", "nb1 ~ x + f", "nbinom1", disp = "~ z")
several("nb1_nested", "sim:layers", "count ~ x + (1 | school/class)", "nbinom1")
several("nb1_owls_disp", "Owls", OWLS, "nbinom1", disp = "~ FoodTreatment")
several("nb2_disp", "sim:inflated", "nb2 ~ x + f + (1 | g)", "nbinom2", disp = "~ z")
several("nb2_disp_slope", "sim:inflated", "nb2 ~ x + f + (x | g)", "nbinom2", disp = "~ z + f")
several("nb2_disp_crossed", "sim:inflated", "nb2 ~ x + f + offset(off) + (1 | g) + (1 | h)", "nbinom2",
        disp = "~ z")
several("nb2_disp_weights", "sim:inflated", "nb2 ~ x + f + (1 | g)", "nbinom2", disp = "~ z", weights = "w")
several("nb2_disp_sqrt", "sim:inflated", "nb2 ~ x + f + (1 | g)", "nbinom2", "sqrt", disp = "~ z",
        start = list(beta = c(1.6, .2, .1, -.1)))
several("nb2_disp_plain", "sim:inflated", "nb2 ~ x + f", "nbinom2", disp = "~ z + f")
several("nb2_disp_reml", "sim:inflated", "nb2 ~ x + f + (1 | g)", "nbinom2", disp = "~ z", reml = TRUE)
several("nb2_epil", "epil2", paste(EPIL, "+ (1 | subject)"), "nbinom2", disp = "~ trt")
several("nb2_cs", "sim:inflated", "nb2 ~ x + f + cs(0 + f | g)", "nbinom2", disp = "~ z")

# -- truncated counts and hurdles ---------------------------------------------------------------------
several("truncated_poisson", "sim:inflated", "positive ~ x + f + (1 | g)", "truncated_poisson")
several("truncated_poisson_slope", "sim:inflated", "positive ~ x + f + (x | g) + (1 | h)", "truncated_poisson")
several("truncated_poisson_plain", "sim:inflated", "positive ~ x + f", "truncated_poisson")
several("truncated_nb1", "sim:inflated", "positive1 ~ x + f + (1 | g)", "truncated_nbinom1")
several("truncated_nb1_disp", "sim:inflated", "positive1 ~ x + f + (1 | g)", "truncated_nbinom1", disp = "~ z")
several("truncated_nb2", "sim:inflated", "positive2 ~ x + f + (1 | g)", "truncated_nbinom2")
several("truncated_nb2_disp", "sim:inflated", "positive2 ~ x + f + (1 | g) + (1 | h)", "truncated_nbinom2",
        disp = "~ z")
several("hurdle_poisson", "sim:inflated", "hurdle ~ x + f + (1 | g)", "truncated_poisson", zi = "~ z")
several("hurdle_poisson_random_zeros", "sim:inflated", "hurdle ~ x + f + (1 | g)", "truncated_poisson",
        zi = "~ x + z + (1 | g)")
several("hurdle_poisson_slopes", "sim:inflated", "hurdle ~ x + f + (x | g)", "truncated_poisson",
        zi = "~ x + z + (x | g)")
several("hurdle_poisson_weights", "sim:inflated", "hurdle ~ x + f + offset(off) + (1 | g) + (1 | h)",
        "truncated_poisson", zi = "~ z + (1 | h)", weights = "w")
several("hurdle_poisson_nested", "sim:layers", "count ~ x + (1 | school/class)", "truncated_poisson",
        zi = "~ x + (1 | item)")
several("hurdle_poisson_plain", "sim:inflated", "hurdle ~ x + f", "truncated_poisson", zi = "~ z")
several("hurdle_nb1", "sim:inflated", "hurdle1 ~ x + f + (1 | g)", "truncated_nbinom1", zi = "~ z + (1 | g)")
several("hurdle_nb1_disp", "sim:inflated", "hurdle1 ~ x + f + (1 | g)", "truncated_nbinom1", zi = "~ z",
        disp = "~ z")
several("hurdle_nb2", "sim:inflated", "hurdle2 ~ x + f + (1 | g)", "truncated_nbinom2", zi = "~ z + (1 | g)")
several("hurdle_nb2_disp_crossed", "sim:inflated", "hurdle2 ~ x + f + (1 | g) + (1 | h)", "truncated_nbinom2",
        zi = "~ x", disp = "~ z")
several("hurdle_nb2_owls", "Owls", OWLS, "truncated_nbinom2", zi = "~ FoodTreatment + (1 | Nest)")
several("hurdle_genpois", "sim:inflated", "hurdle1 ~ x + f + (1 | g)", "truncated_genpois", zi = "~ z")
several("hurdle_compois", "sim:even", "hurdle ~ x + (1 | g)", "truncated_compois", zi = "~ z", restarts = 0)

# -- generalised Poisson and Conway-Maxwell-Poisson ---------------------------------------------------
several("genpois", "sim:inflated", "nb1 ~ x + f + (1 | g)", "genpois")
several("genpois_under", "sim:inflated", "under ~ x + f + (1 | g)", "genpois")
several("genpois_disp", "sim:inflated", "nb1 ~ x + f + (1 | g) + (1 | h)", "genpois", disp = "~ z")
several("genpois_slope", "sim:inflated", "nb1 ~ x + f + (x | g)", "genpois")
several("genpois_zeros", "sim:inflated", "zinb1 ~ x + f + (1 | g)", "genpois", zi = "~ z + (1 | g)")
several("genpois_plain", "sim:inflated", "nb1 ~ x + f", "genpois", disp = "~ z")
several("truncated_genpois", "sim:inflated", "positive1 ~ x + f + (1 | g)", "truncated_genpois")
# glmmTMB takes minutes for this family: a small data set, one start
several("compois", "sim:even", "over ~ x + (1 | g)", "compois", restarts = 0)
several("compois_under", "sim:even", "y ~ x + (1 | g)", "compois", restarts = 0)
several("compois_disp", "sim:even", "y ~ x + (1 | g)", "compois", disp = "~ z", restarts = 0)
several("compois_slope", "sim:even", "y ~ x + (x | g)", "compois", restarts = 0)
several("compois_zeros", "sim:even", "zeros ~ x + (1 | g)", "compois", zi = "~ z", restarts = 0)
several("compois_plain", "sim:even", "y ~ x", "compois", disp = "~ z", restarts = 0)
several("truncated_compois", "sim:even", "positive ~ x + (1 | g)", "truncated_compois", restarts = 0)

# -- shares -------------------------------------------------------------------------------------------
several("beta", "sim:shares", "y ~ x + f + (1 | g)", "beta_family")
several("beta_disp", "sim:shares", "y ~ x + f + (1 | g)", "beta_family", disp = "~ z")
several("beta_disp_slope", "sim:shares", "y ~ x + f + (x | g)", "beta_family", disp = "~ z + f")
several("beta_crossed", "sim:shares", "y ~ x + f + (1 | g) + (1 | h)", "beta_family", disp = "~ z")
several("beta_probit", "sim:shares", "y ~ x + f + (1 | g)", "beta_family", "probit", disp = "~ z")
several("beta_cloglog", "sim:shares", "y ~ x + f + (1 | g)", "beta_family", "cloglog")
several("beta_weights", "sim:shares", "y ~ x + f + (1 | g)", "beta_family", weights = "w")
several("beta_plain", "sim:shares", "y ~ x + f", "beta_family", disp = "~ z")
several("beta_zeros", "sim:shares", "y0 ~ x + f + (1 | g)", "beta_family", zi = "~ z")
several("beta_zeros_random_disp", "sim:shares", "y0 ~ x + f + (1 | g)", "beta_family", zi = "~ z + (1 | g)",
        disp = "~ z")
CUTS <- list(psi = c(-1, 1))
several("ordbeta", "sim:shares", "ends ~ x + f + (1 | g)", "ordbeta", start = CUTS)
several("ordbeta_disp", "sim:shares", "ends ~ x + f + (1 | g)", "ordbeta", disp = "~ z", start = CUTS)
several("ordbeta_slope_crossed", "sim:shares", "ends ~ x + f + (x | g) + (1 | h)", "ordbeta", start = CUTS)
several("ordbeta_plain", "sim:shares", "ends ~ x + f", "ordbeta", disp = "~ z", start = CUTS)
several("betabinomial", "sim:shares", "cbind(k, m - k) ~ x + f + (1 | g)", "betabinomial")
several("betabinomial_disp", "sim:shares", "cbind(k, m - k) ~ x + f + (1 | g)", "betabinomial", disp = "~ z")
several("betabinomial_slope_crossed", "sim:shares", "cbind(k, m - k) ~ x + f + (x | g) + (1 | h)", "betabinomial")
several("betabinomial_probit", "sim:shares", "cbind(k, m - k) ~ x + f + (1 | g)", "betabinomial", "probit")
several("betabinomial_cloglog", "sim:shares", "cbind(k, m - k) ~ x + f + (1 | g)", "betabinomial", "cloglog")
several("betabinomial_plain", "sim:shares", "cbind(k, m - k) ~ x + f", "betabinomial", disp = "~ z")
several("betabinomial_cbpp_plain", "cbpp", "cbind(incidence, size - incidence) ~ period", "betabinomial")
several("betabinomial_zeros", "sim:inflated", "cbind(zk, m - zk) ~ x + (1 | g)", "betabinomial", zi = "~ z")

# -- positive amounts ---------------------------------------------------------------------------------
AMOUNTS <- "wait ~ x + f + (1 | g)"
several("gamma_disp", "sim:amounts", AMOUNTS, "Gamma", disp = "~ z")
several("gamma_disp_slope", "sim:amounts", "wait ~ x + f + offset(off) + (x | g)", "Gamma", disp = "~ z + f")
several("gamma_disp_crossed", "sim:amounts", "wait ~ x + f + (1 | g) + (1 | h)", "Gamma", disp = "~ z")
several("gamma_disp_inverse", "sim:positive", "wait ~ x + f + (1 | g)", "Gamma", "inverse", disp = "~ f",
        start = list(beta = c(.179, -.032, -.017), betad = c(2.4, 0), theta = -4.4, b = rep(0, 16)), restarts = 0)
several("gamma_disp_identity", "sim:positive", "wait ~ x + f + (1 | g)", "Gamma", "identity", disp = "~ f",
        start = list(beta = c(5.1, 1.8, 1), betad = c(2.4, 0), theta = -.3, b = rep(0, 16)), restarts = 0)
several("gamma_disp_weights", "sim:amounts", AMOUNTS, "Gamma", disp = "~ z", weights = "w")
several("gamma_disp_plain", "sim:amounts", "wait ~ x + f", "Gamma", disp = "~ z")
several("gamma_hurdle", "sim:amounts", "wait0 ~ x + f + (1 | g)", "ziGamma", zi = "~ z + (1 | g)")
several("gamma_hurdle_disp", "sim:amounts", "wait0 ~ x + f + (1 | g) + (1 | h)", "ziGamma", zi = "~ z",
        disp = "~ z")
several("tweedie", "sim:amounts", "rain ~ x + f + (1 | g)", "tweedie")
several("tweedie_disp", "sim:amounts", "rain ~ x + f + (1 | g)", "tweedie", disp = "~ z")
several("tweedie_slope_crossed", "sim:amounts", "rain ~ x + f + offset(off) + (x | g) + (1 | h)", "tweedie")
several("tweedie_weights", "sim:amounts", "rain ~ x + f + (1 | g)", "tweedie", weights = "w")
several("tweedie_plain", "sim:amounts", "rain ~ x + f", "tweedie", disp = "~ z")

# -- by several.cpp: families that glmmTMB 1.1.5 lacks, random effects in the dispersion --------------
#   psi   where the shape of the family starts
owns <- list()
own <- function(id, data, formula, family, link, ...) {
  stopifnot(is.null(owns[[id]]), is.null(severals[[id]]))
  owns[[id]] <<- c(list(id = id, data = data, formula = formula, family = family, link = link), list(...))
}
own("lognormal", "sim:amounts", "lognormal ~ x + f + (1 | g)", "lognormal", "log")
own("lognormal_disp", "sim:amounts", "lognormal ~ x + f + (x | g) + (1 | h)", "lognormal", "log", disp = "~ z")
own("lognormal_hurdle", "sim:amounts", "lognormal0 ~ x + f + (1 | g)", "lognormal", "log", zi = "~ z + (1 | g)",
    disp = "~ z")
own("lognormal_plain", "sim:amounts", "lognormal ~ x + f", "lognormal", "log", disp = "~ z")
own("skewnormal", "sim:errors", "skewed ~ x + f + (1 | g)", "skewnormal", "identity", psi = 2)
own("skewnormal_disp", "sim:errors", "skewed ~ x + f + (x | g) + (1 | h)", "skewnormal", "identity", disp = "~ z",
    psi = 2)
own("skewnormal_plain", "sim:errors", "skewed ~ x + f", "skewnormal", "identity", disp = "~ z", psi = 2)
own("bell", "sim:inflated", "nb1 ~ x + f + (1 | g)", "bell", "log")
own("bell_zeros", "sim:inflated", "zinb1 ~ x + f + offset(off) + (1 | g) + (1 | h)", "bell", "log", zi = "~ z")
own("nbinom12", "sim:spreads", "both ~ x + z + (1 | g)", "nbinom12", "log", psi = 1)
own("nbinom12_disp", "sim:spreads", "both ~ x + (1 | g) + (1 | h)", "nbinom12", "log", disp = "~ z", psi = 1)
own("inverse_gaussian_disp", "sim:positive", "path ~ x + f + (1 | g)", "inverse_gaussian", "log", disp = "~ f")
own("inverse_gaussian_disp_identity", "sim:positive", "path ~ x + f + (1 | g)", "inverse_gaussian", "identity",
    disp = "~ x")
own("gaussian_spread", "sim:spreads", "y ~ x + (1 | g)", "gaussian", "identity", disp = "~ z + (1 | g)")
own("gaussian_spread_crossed", "sim:spreads", "y ~ x + (x | g) + (1 | h)", "gaussian", "identity",
    disp = "~ z + (1 | g)")
own("gaussian_spread_sleepstudy", "sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian", "identity",
    disp = "~ Days + (1 | Subject)")
own("nb2_spread", "sim:spreads", "count ~ x + (1 | g)", "nbinom2", "log", disp = "~ z + (1 | g)")
own("zinb2_spread", "sim:spreads", "zeros ~ x + (1 | g) + (1 | h)", "nbinom2", "log", zi = "~ z + (1 | h)",
    disp = "~ (1 | g)", edge = "the variance in the dispersion is estimated as 0")
own("gamma_hurdle_spread", "sim:spreads", "wait0 ~ x + (1 | g)", "Gamma", "log", zi = "~ z + (1 | h)",
    disp = "~ z + (1 | g)")
own("beta_spread", "sim:spreads", "share ~ x + (1 | g) + (1 | h)", "beta_family", "logit", disp = "~ z + (1 | g)")
own("gamma_spread", "sim:spreads", "wait ~ x + (1 | g)", "Gamma", "log", disp = "~ z + (1 | g)")

# -- zero-one-inflated beta: three fits with parameters of their own ---------------------------------
#   zoi   formula of 0 or 1 among all rows;   coi   of 1 among these;   formula, disp   of the rest
zoibs <- list()
zoib <- function(id, formula, ...) zoibs[[id]] <<- c(list(id = id, data = "sim:shares", formula = formula), list(...))
zoib("zoib", "y01 ~ x + f + (1 | g)", zoi = "~ 1", coi = "~ 1")
zoib("zoib_disp", "y01 ~ x + f + (1 | g)", disp = "~ z", zoi = "~ z", coi = "~ x")
zoib("zoib_random", "y01 ~ x + f + (x | g)", disp = "~ z", zoi = "~ z + (1 | g)", coi = "~ x")
zoib("zoib_plain", "y01 ~ x + f", disp = "~ z", zoi = "~ z", coi = "~ x")
