# The generalised models of the references: id -> data, formula (R), family, link, arguments.
#   data       name of a data set of a package (data/) or "sim:" and a name of simulate_glmm.R
#   python     the formula in Python, when it is not the text of R's
#   glmmtmb    the formula for glmmTMB, where it means something else there (||)
#   theta      NB's theta when it is fixed
#   nAGQ       0, or a number of nodes above 1; without it Laplace
#   weights, offset   names of columns;   contrasts   column -> contr.*
#   lme4       FALSE: lme4's fit is not maximum likelihood (free dispersion), or it has none
#   marginal   FALSE: no quadrature beside the fit (groups so informative that Laplace is exact)
#   start_beta, start_theta, mustart   where to start, if R's start is out of range

glmms <- list()
glmm <- function(id, data, formula, family, link, ..., theta = NULL) {
  stopifnot(is.null(glmms[[id]]))
  glmms[[id]] <<- c(list(id = id, data = data, formula = formula,
                         family = list(name = family, link = link, theta = theta)), list(...))
}

# -- the standard examples --------------------------------------------------------------------------
CBPP <- "cbind(incidence, size - incidence) ~ period + (1 | herd)"
EPIL <- "y ~ Base * trt + Age + Visit"
USE <- "use ~ age + I(age^2) + urban + livch"
USE_PY <- "use ~ age + I(age**2) + urban + livch"
glmm("G1_cbpp", "cbpp", CBPP, "binomial", "logit")
glmm("G1a_cbpp_agq9", "cbpp", CBPP, "binomial", "logit", nAGQ = 9L)
glmm("G1a_cbpp_agq25", "cbpp", CBPP, "binomial", "logit", nAGQ = 25L)
glmm("G1a_cbpp_agq5", "cbpp", CBPP, "binomial", "logit", nAGQ = 5L)
glmm("G1a_cbpp_agq10", "cbpp", CBPP, "binomial", "logit", nAGQ = 10L)
glmm("G1z_cbpp_agq0", "cbpp", CBPP, "binomial", "logit", nAGQ = 0L)
glmm("G1p_cbpp_probit", "cbpp", CBPP, "binomial", "probit")
glmm("G1p_cbpp_probit_agq25", "cbpp", CBPP, "binomial", "probit", nAGQ = 25L)
glmm("G1c_cbpp_cloglog", "cbpp", CBPP, "binomial", "cloglog")
glmm("G1l_cbpp_loglog", "cbpp", CBPP, "binomial", "loglog")
glmm("G1u_cbpp_cauchit", "cbpp", CBPP, "binomial", "cauchit")
glmm("G2_contraception", "Contraception", paste(USE, "+ (1 | district)"), "binomial", "logit",
     python = paste(USE_PY, "+ (1 | district)"))
glmm("G2_contraception_agq25", "Contraception", paste(USE, "+ (1 | district)"), "binomial", "logit",
     nAGQ = 25L, python = paste(USE_PY, "+ (1 | district)"))
glmm("G2s_contraception_slope", "Contraception", paste(USE, "+ (urban | district)"), "binomial", "logit",
     python = paste(USE_PY, "+ (urban | district)"))
glmm("G3_grouseticks", "grouseticks", "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
     "poisson", "log")
glmm("G4_bacteria", "bacteria", "y ~ trt + I(week > 2) + (1 | ID)", "binomial", "logit")
glmm("G4_bacteria_agq25", "bacteria", "y ~ trt + I(week > 2) + (1 | ID)", "binomial", "logit", nAGQ = 25L)
glmm("G5_verbagg", "VerbAgg", "r2 ~ Anger + Gender + btype + situ + mode + (1 | id) + (1 | item)",
     "binomial", "logit")
glmm("G6_guimmun", "guImmun", paste("immun ~ kid2p + mom25p + ord + ethn + momEd + husEd + momWork +",
     "rural + pcInd81 + (1 | mom) + (1 | comm)"), "binomial", "logit")
glmm("G7_mmmec", "Mmmec", "deaths ~ uvb + offset(log(expected)) + (1 | nation) + (1 | region)", "poisson", "log")
glmm("G8_epil_slope", "epil2", paste(EPIL, "+ (Visit | subject)"), "poisson", "log")
glmm("G9_arabidopsis", "Arabidopsis",
     "total.fruits ~ factor(nutrient) * amd + factor(rack) + status + (1 | popu) + (1 | gen)", "poisson", "log",
     python = "`total.fruits` ~ factor(nutrient) * amd + factor(rack) + status + (1 | popu) + (1 | gen)")
glmm("N1_epil_nb", "epil2", paste(EPIL, "+ (1 | subject)"), "negativebinomial", "log")

# -- binomial: links, forms of the response, arguments ------------------------------------------------
glmm("binomial_cbind_slope", "sim:outcomes", "cbind(k, m - k) ~ x + z + f + (x | g)", "binomial", "logit")
glmm("binomial_share", "sim:outcomes", "share ~ x + z + f + (1 | g) + (1 | h)", "binomial", "logit", weights = "m")
glmm("binomial_quotient", "sim:outcomes", "k / m ~ x + f + (1 | g)", "binomial", "logit", weights = "m")
glmm("binomial_factor", "sim:outcomes", "success ~ x + f + (1 | g)", "binomial", "logit")
glmm("binomial_logical_probit", "sim:outcomes", "hit ~ x + z + (1 | g) + (1 | h)", "binomial", "probit")
glmm("binomial_offset", "sim:outcomes", "cbind(k, m - k) ~ x + f + offset(off) + (1 | g)", "binomial", "logit")
glmm("binomial_offset_argument", "sim:outcomes", "cbind(k, m - k) ~ x + z + (1 | g)", "binomial", "cloglog", offset = "off")
glmm("binomial_probit_slope", "sim:outcomes", "cbind(k, m - k) ~ x + z + (x | g)", "binomial", "probit")
glmm("binomial_cloglog_crossed", "sim:outcomes", "cbind(k, m - k) ~ x + z + (1 | g) + (1 | h)", "binomial", "cloglog")
glmm("binomial_loglog", "sim:outcomes", "cbind(k, m - k) ~ x + z + (1 | g)", "binomial", "loglog")
glmm("binomial_cauchit", "sim:outcomes", "cbind(k, m - k) ~ x + z + f + (1 | g)", "binomial", "cauchit")
glmm("binomial_log", "sim:outcomes", "cbind(rare, m - rare) ~ z + (1 | g)", "binomial", "log")
glmm("binomial_identity", "sim:outcomes", "cbind(rare, m - rare) ~ z + (1 | g)", "binomial", "identity")
glmm("binomial_factor_slopes", "sim:outcomes", "cbind(k, m - k) ~ x + f + (f | g)", "binomial", "logit")
glmm("binomial_cells", "sim:outcomes", "cbind(k, m - k) ~ x + f + (0 + f | h)", "binomial", "logit")
glmm("binomial_double_bar", "sim:outcomes", "cbind(k, m - k) ~ x + z + (x || g)", "binomial", "logit",
     glmmtmb = "cbind(k, m - k) ~ x + z + (1 | g) + (0 + x | g)")
glmm("binomial_observation_level", "sim:outcomes", "cbind(k, m - k) ~ x + z + (1 | g) + (1 | row)", "binomial", "logit")
glmm("binomial_contrasts", "sim:outcomes", "cbind(k, m - k) ~ x * f + (1 | g)", "binomial", "logit",
     contrasts = list(f = "sum"))
glmm("binomial_millions", "sim:millions", "cbind(k, size - k) ~ x + (1 | g)", "binomial", "logit", marginal = FALSE)
glmm("bernoulli_tiny_groups", "sim:tiny", "y ~ x + (1 | id)", "binomial", "logit")
glmm("bernoulli_tiny_groups_agq10", "sim:tiny", "y ~ x + (1 | id)", "binomial", "logit", nAGQ = 10L)
glmm("bernoulli_tiny_groups_agq25", "sim:tiny", "y ~ x + (1 | id)", "binomial", "logit", nAGQ = 25L)
glmm("bernoulli_tiny_groups_cloglog", "sim:tiny", "y ~ x + (1 | id)", "binomial", "cloglog")
glmm("bernoulli_nearly_separated", "sim:separated", "y ~ high + x + (1 | g)", "binomial", "logit")
glmm("bernoulli_zero_variance", "sim:level_groups", "y ~ x + (1 | g)", "binomial", "logit")
glmm("bernoulli_three_crossed", "sim:layers", "y ~ x + (1 | school) + (1 | item) + (1 | rater)", "binomial", "logit")
glmm("bernoulli_nested", "sim:layers", "y ~ x + (1 | school/class)", "binomial", "logit")
glmm("bernoulli_agq0", "sim:layers", "y ~ x + (1 | school) + (1 | item)", "binomial", "logit", nAGQ = 0L)

# -- Poisson ------------------------------------------------------------------------------------------
glmm("poisson_slope", "sim:outcomes", "count ~ x + offset(off) + (x | g)", "poisson", "log")
glmm("poisson_slope_uncorrelated", "sim:outcomes", "count ~ x + offset(off) + (x || g) + (1 | h)", "poisson", "log",
     glmmtmb = "count ~ x + offset(off) + (1 | g) + (0 + x | g) + (1 | h)")
glmm("poisson_offset_argument", "sim:outcomes", "count ~ x + f + (1 | g) + (1 | h)", "poisson", "log", offset = "off")
glmm("poisson_weights", "sim:outcomes", "count ~ x + offset(off) + (1 | g)", "poisson", "log", weights = "w")
glmm("poisson_agq10", "sim:outcomes", "count ~ x + z + (1 | g)", "poisson", "log", nAGQ = 10L)
glmm("poisson_agq25", "sim:outcomes", "count ~ x + z + (1 | g)", "poisson", "log", nAGQ = 25L)
glmm("poisson_agq0", "sim:outcomes", "count ~ x + z + (x | g)", "poisson", "log", nAGQ = 0L)
glmm("poisson_log", "sim:positive", "count ~ x + f + (1 | g)", "poisson", "log")
glmm("poisson_identity", "sim:positive", "count ~ x + f + (1 | g)", "poisson", "identity")
glmm("poisson_sqrt", "sim:positive", "count ~ x + f + (1 | g)", "poisson", "sqrt")
glmm("poisson_inverse", "sim:positive", "count ~ x + f + (1 | g)", "poisson", "inverse")
glmm("poisson_sqrt_weights", "sim:positive", "count ~ x + (1 | g)", "poisson", "sqrt", weights = "w")
glmm("poisson_three_crossed", "sim:layers", "count ~ x + (1 | school) + (1 | item) + (1 | rater)", "poisson", "log")
glmm("poisson_nested_slope", "sim:layers", "count ~ x + (x | school) + (1 | school:class)", "poisson", "log")
glmm("poisson_observation_level", "sim:outcomes", "over ~ x + z + (1 | g) + (1 | row)", "poisson", "log")
glmm("poisson_millions", "sim:millions", "count ~ x + (1 | g)", "poisson", "log", marginal = FALSE)
glmm("poisson_zero_variance", "sim:level_groups", "count ~ x + (1 | g)", "poisson", "log")
glmm("poisson_salamanders", "Salamanders", "count ~ spp * mined + (1 | site)", "poisson", "log")
glmm("poisson_owls", "Owls", paste("SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) +",
     "(1 | Nest)"), "poisson", "log")

# -- negative binomial --------------------------------------------------------------------------------
glmm("nb_log", "sim:outcomes", "over ~ x + z + (1 | g)", "negativebinomial", "log")
glmm("nb_crossed", "sim:outcomes", "over ~ x + z + (1 | g) + (1 | h)", "negativebinomial", "log")
glmm("nb_slope", "sim:outcomes", "over ~ x + z + (x | g)", "negativebinomial", "log")
# lme4's deviance of a negative binomial applies weights to one of its terms only
glmm("nb_weights", "sim:outcomes", "over ~ x + z + (1 | g)", "negativebinomial", "log", weights = "w", lme4 = FALSE)
glmm("nb_identity", "sim:positive", "over ~ x + f + (1 | g)", "negativebinomial", "identity")
glmm("nb_sqrt", "sim:positive", "over ~ x + f + (1 | g)", "negativebinomial", "sqrt")
glmm("nb_offset", "sim:outcomes", "over ~ x + z + offset(off) + (1 | g)", "negativebinomial", "log")
glmm("nb_fixed", "sim:outcomes", "over ~ x + z + (1 | g)", "negativebinomial", "log", theta = 3)
glmm("nb_fixed_sqrt", "sim:positive", "over ~ x + f + (1 | g)", "negativebinomial", "sqrt", theta = 6)
glmm("nb_fixed_canonical", "sim:positive", "over ~ x + f + (1 | g)", "negativebinomial", "nbcanonical", theta = 6,
     start_beta = c(-.8, .15, .08), start_theta = .1, lme4 = FALSE)
glmm("nb_fixed_agq10", "sim:outcomes", "over ~ x + z + (1 | g)", "negativebinomial", "log", theta = 3, nAGQ = 10L)
glmm("nb_millions", "sim:millions", "over ~ x + (1 | g)", "negativebinomial", "log", marginal = FALSE)
glmm("nb_salamanders", "Salamanders", "count ~ spp * mined + (1 | site)", "negativebinomial", "log")

# -- a free dispersion: maximum likelihood, which lme4's fits of these are not ------------------------
glmm("gamma_sleepstudy", "sleepstudy", "Reaction ~ Days + (1 | Subject)", "gamma", "log", lme4 = FALSE)
glmm("gamma_sleepstudy_slope", "sleepstudy", "Reaction ~ Days + (Days | Subject)", "gamma", "log", lme4 = FALSE)
glmm("gamma_log", "sim:positive", "wait ~ x + f + (1 | g)", "gamma", "log", lme4 = FALSE)
glmm("gamma_inverse", "sim:positive", "wait ~ x + f + (1 | g)", "gamma", "inverse", lme4 = FALSE)
glmm("gamma_identity", "sim:positive", "wait ~ x + f + (1 | g)", "gamma", "identity", lme4 = FALSE)
glmm("gamma_sqrt", "sim:positive", "wait ~ x + f + (1 | g)", "gamma", "sqrt", lme4 = FALSE)
glmm("gamma_inverse_square", "sim:positive", "wait ~ x + f + (1 | g)", "gamma", "inverse_square", lme4 = FALSE)
glmm("gamma_weights", "sim:positive", "wait ~ x + f + (1 | g)", "gamma", "log", weights = "w", lme4 = FALSE)
glmm("ig_log", "sim:positive", "path ~ x + f + (1 | g)", "inverse_gaussian", "log", lme4 = FALSE)
glmm("ig_identity", "sim:positive", "path ~ x + f + (1 | g)", "inverse_gaussian", "identity", lme4 = FALSE)
glmm("ig_inverse", "sim:positive", "path ~ x + f + (1 | g)", "inverse_gaussian", "inverse", lme4 = FALSE)
glmm("ig_inverse_square", "sim:positive", "path ~ f + (1 | g)", "inverse_gaussian", "inverse_square", lme4 = FALSE)
glmm("ig_sqrt", "sim:positive", "path ~ x + f + (1 | g)", "inverse_gaussian", "sqrt", lme4 = FALSE)
glmm("ig_log_slope", "sim:positive", "path ~ x + f + (x || g)", "inverse_gaussian", "log", lme4 = FALSE)
glmm("gaussian_sqrt", "sim:positive", "level ~ x + f + (1 | g)", "gaussian", "sqrt", lme4 = FALSE)
glmm("gaussian_log_weights", "sim:positive", "level ~ x + f + (1 | g)", "gaussian", "log", weights = "w", lme4 = FALSE)
glmm("gaussian_identity", "sim:positive", "level ~ x + f + (1 | g)", "gaussian", "identity", lme4 = FALSE)
glmm("gaussian_log", "sim:positive", "level ~ x + f + (1 | g)", "gaussian", "log", lme4 = FALSE)
glmm("gaussian_inverse", "sim:positive", "level ~ x + f + (1 | g)", "gaussian", "inverse", lme4 = FALSE)
