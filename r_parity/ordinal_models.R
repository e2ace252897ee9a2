# Models of ordered responses: id -> data, formula, link, and
#   threshold, nominal, scale   as clm's
#   weights      a column: multiplies the log-likelihood of a row
#   nodes        adaptive quadrature with so many
#   polr         also by MASS::polr
#   new          columns on whose combinations probabilities are predicted
#   ranef        modes and their variances are held to clmm's accessors
#   edge         why there is no ordinary optimum

ordinals <- list()
ordinal <- function(id, data, formula, link = "logit", threshold = "flexible", ...) {
  stopifnot(is.null(ordinals[[id]]))
  ordinals[[id]] <<- c(list(id = id, data = data, formula = formula, link = link, threshold = threshold), list(...))
}

# -- without random effects ---------------------------------------------------------------------------
WINE <- "rating ~ temp + contact"
HOUSING <- "Sat ~ Infl + Type + Cont"
ORDERED <- "y ~ x + f"
ordinal("clm_wine_logit", "wine", WINE, polr = TRUE, new = c("temp", "contact"))
ordinal("clm_wine_probit", "wine", WINE, "probit", polr = TRUE)
ordinal("clm_wine_cloglog", "wine", WINE, "cloglog", polr = TRUE)
ordinal("clm_wine_loglog", "wine", WINE, "loglog", polr = TRUE)
ordinal("clm_wine_cauchit", "wine", WINE, "cauchit", polr = TRUE)
ordinal("clm_wine_symmetric", "wine", WINE, threshold = "symmetric")
ordinal("clm_wine_symmetric2", "wine", WINE, threshold = "symmetric2")
ordinal("clm_wine_equidistant", "wine", WINE, threshold = "equidistant", new = c("temp", "contact"))
ordinal("clm_wine_nominal", "wine", "rating ~ temp", nominal = "~ contact", new = c("temp", "contact"))
ordinal("clm_wine_scale", "wine", WINE, scale = "~ temp", new = c("temp", "contact"))
ordinal("clm_wine_nominal_scale", "wine", "rating ~ temp", nominal = "~ contact", scale = "~ temp",
        threshold = "symmetric")
ordinal("clm_wine_offset", "wine", "rating ~ temp + contact + offset(response / 50)", "cloglog")
ordinal("clm_wine_thresholds_alone", "wine", "rating ~ 1", polr = FALSE)
ordinal("clm_housing", "housing", HOUSING, weights = "Freq", polr = TRUE, new = c("Infl", "Type", "Cont"))
ordinal("clm_housing_interaction", "housing", "Sat ~ Infl * Type + Cont", "probit", weights = "Freq", polr = TRUE)
ordinal("clm_soup", "soup", "SURENESS ~ PROD * GENDER + AGEGROUP", "loglog")
ordinal("clm_soup_scale", "soup", "SURENESS ~ PROD", "probit", scale = "~ PROD * GENDER", threshold = "symmetric")
ordinal("clm_ordered", "sim:ordered", "y ~ x * f + offset(off)", weights = "w", scale = "~ x + f")
ordinal("clm_ordered_nominal", "sim:ordered", "y ~ x", "probit", nominal = "~ f", threshold = "equidistant")

# -- with random effects ------------------------------------------------------------------------------
JUDGE <- paste(WINE, "+ (1 | judge)")
ordinal("clmm_wine", "wine", JUDGE, ranef = TRUE)
ordinal("clmm_wine_probit", "wine", JUDGE, "probit")
ordinal("clmm_wine_cloglog", "wine", JUDGE, "cloglog")
ordinal("clmm_wine_loglog", "wine", JUDGE, "loglog")
ordinal("clmm_wine_cauchit", "wine", JUDGE, "cauchit")
ordinal("clmm_wine_symmetric", "wine", JUDGE, threshold = "symmetric")
ordinal("clmm_wine_symmetric2", "wine", JUDGE, threshold = "symmetric2")
ordinal("clmm_wine_equidistant", "wine", JUDGE, threshold = "equidistant")
ordinal("clmm_wine_agq5", "wine", JUDGE, nodes = 5)
ordinal("clmm_wine_agq10", "wine", JUDGE, nodes = 10)
ordinal("clmm_wine_bottle", "wine", paste(JUDGE, "+ (1 | bottle)"), edge = "the variance of bottles is estimated as 0")
ordinal("clmm_soup", "soup", "SURENESS ~ PROD + (1 | RESP)", ranef = TRUE)
ordinal("clmm_soup_agq7", "soup", "SURENESS ~ PROD + (1 | RESP)", nodes = 7)
ordinal("clmm_soup_slope", "soup", "SURENESS ~ PROD + (PROD | RESP)")
ordinal("clmm_ordered_slope", "sim:ordered", paste(ORDERED, "+ (x | g)"))
ordinal("clmm_ordered_weights", "sim:ordered", paste(ORDERED, "+ (1 | g) + (1 | h)"), weights = "w")
ordinal("clmm_ordered_nested", "sim:ordered", paste(ORDERED, "+ (1 | h / g)"), "cloglog")
# R's clmm has neither of these
ordinal("clmm_wine_nominal", "wine", "rating ~ temp + (1 | judge)", nominal = "~ contact")
ordinal("clmm_soup_scale", "soup", "SURENESS ~ PROD + (1 | RESP)", "probit", scale = "~ PROD")
ordinal("clmm_ordered_nominal_scale", "sim:ordered", "y ~ x + (1 | g)", nominal = "~ f", scale = "~ f")
