# Linear models with a residual covariance: id -> data, method, and
#   formula, correlation, variance    in Python's spelling, which lme4 reads too but for the two latter
#   fixed, random, r_correlation, r_variance    nlme's, as texts; without random by gls
#   intervals    nlme's approximate intervals are kept

residuals_of <- list()
residual <- function(id, data, method, formula, correlation = NULL, variance = NULL, ...) {
  stopifnot(is.null(residuals_of[[id]]))
  residuals_of[[id]] <<- c(list(id = id, data = data, method = method, formula = formula, correlation = correlation,
                                variance = variance), list(...))
}

CYCLE <- "follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time)"
residual("ovary_lme_ar1", "Ovary", "REML", paste(CYCLE, "+ (sin(2 * pi * Time) || Mare)"), "ar1(1 | Mare)",
         random = "list(Mare = pdDiag(~ sin(2 * pi * Time)))", r_correlation = "corAR1()", intervals = TRUE)
residual("ovary_lme_intercept_ar1", "Ovary", "ML", paste(CYCLE, "+ (1 | Mare)"), "ar1(1 | Mare)",
         random = "~ 1 | Mare", r_correlation = "corAR1()")
residual("ovary_lme_car1", "Ovary", "REML", paste(CYCLE, "+ (1 | Mare)"), "car1(Time | Mare)",
         random = "~ 1 | Mare", r_correlation = "corCAR1(form = ~ Time | Mare)")
residual("ovary_gls_ar1", "Ovary", "REML", CYCLE, "ar1(1 | Mare)", r_correlation = "corAR1(form = ~ 1 | Mare)",
         intervals = TRUE)
residual("ovary_gls_ar1_ml", "Ovary", "ML", CYCLE, "ar1(1 | Mare)", r_correlation = "corAR1(form = ~ 1 | Mare)")

residual("ovary_lme_arma11", "Ovary", "ML", paste(CYCLE, "+ (1 | Mare)"), "arma(1 | Mare, p=1, q=1)",
         random = "~ 1 | Mare", r_correlation = "corARMA(form = ~ 1 | Mare, p = 1, q = 1)", intervals = TRUE)
residual("ovary_gls_ar2", "Ovary", "REML", CYCLE, "arma(1 | Mare, p=2)",
         r_correlation = "corARMA(form = ~ 1 | Mare, p = 2)")
residual("ovary_lme_ma2", "Ovary", "REML", paste(CYCLE, "+ (1 | Mare)"), "arma(1 | Mare, q=2)",
         random = "~ 1 | Mare", r_correlation = "corARMA(form = ~ 1 | Mare, q = 2)")

RATS <- "weight ~ Time * Diet"
residual("bodyweight_lme_power", "BodyWeight", "REML", paste(RATS, "+ (Time | Rat)"), NULL, "power(fitted)",
         random = "~ Time | Rat", r_variance = "varPower()")
residual("bodyweight_lme_car1", "BodyWeight", "ML", paste(RATS, "+ (Time | Rat)"), "car1(Time | Rat)",
         random = "~ Time | Rat", r_correlation = "corCAR1(form = ~ Time | Rat)")
residual("bodyweight_gls_gau", "BodyWeight", "REML", RATS, "gau(Time | Rat)", "~ Diet",
         r_correlation = "corGaus(form = ~ Time | Rat)", r_variance = "varIdent(form = ~ 1 | Diet)")

GROWTH <- "distance ~ age * Sex"
residual("orthodont_lme_ident", "Orthodont", "REML", paste(GROWTH, "+ (age | Subject)"), NULL, "~ Sex",
         random = "~ age | Subject", r_variance = "varIdent(form = ~ 1 | Sex)")
residual("orthodont_lme_ident_ml", "Orthodont", "ML", paste(GROWTH, "+ (1 | Subject)"), NULL, "ident(1 | Sex)",
         random = "~ 1 | Subject", r_variance = "varIdent(form = ~ 1 | Sex)", intervals = TRUE)
residual("orthodont_lme_ar1", "Orthodont", "REML", paste(GROWTH, "+ (1 | Subject)"), "ar1(1 | Subject)",
         random = "~ 1 | Subject", r_correlation = "corAR1()")
residual("orthodont_gls_cs", "Orthodont", "REML", GROWTH, "cs(1 | Subject)", r_correlation = "corCompSymm(form = ~ 1 | Subject)",
         intervals = TRUE)
residual("orthodont_gls_cs_ident_ml", "Orthodont", "ML", GROWTH, "cs(1 | Subject)", "~ Sex",
         r_correlation = "corCompSymm(form = ~ 1 | Subject)", r_variance = "varIdent(form = ~ 1 | Sex)")
residual("orthodont_gls_us_ident", "Orthodont", "REML", GROWTH, "us(1 | Subject)", "~ age",
         r_correlation = "corSymm(form = ~ 1 | Subject)", r_variance = "varIdent(form = ~ 1 | age)")
residual("orthodont_gls_ar1_combined", "Orthodont", "REML", GROWTH, "ar1(1 | Subject)", "ident(1 | Sex) * power(age)",
         r_correlation = "corAR1(form = ~ 1 | Subject)",
         r_variance = "varComb(varIdent(form = ~ 1 | Sex), varPower(form = ~ age))")
residual("orthodont_gls_power_fitted_ml", "Orthodont", "ML", GROWTH, NULL, "power(fitted)", r_variance = "varPower()")

FLOW <- paste("rate ~ (pressure + I(pressure^2) + I(pressure^3) + I(pressure^4)) * QB")
residual("dialyzer_gls_power_ar1", "Dialyzer", "REML", FLOW, "ar1(1 | Subject)", "power(pressure)",
         r_correlation = "corAR1(form = ~ 1 | Subject)", r_variance = "varPower(form = ~ pressure)", intervals = TRUE)
residual("dialyzer_gls_strata", "Dialyzer", "REML", FLOW, NULL, "power(pressure | QB)",
         r_variance = "varPower(form = ~ pressure | QB)")
residual("dialyzer_gls_exp_ml", "Dialyzer", "ML", FLOW, "cs(1 | Subject)", "exp(pressure)",
         r_correlation = "corCompSymm(form = ~ 1 | Subject)", r_variance = "varExp(form = ~ pressure)")
residual("dialyzer_gls_fixed", "Dialyzer", "REML", FLOW, "ar1(1 | Subject)", "fixed(pressure)",
         r_correlation = "corAR1(form = ~ 1 | Subject)", r_variance = "varFixed(~ pressure)")
residual("dialyzer_lme_power", "Dialyzer", "REML", paste(FLOW, "+ (pressure + I(pressure^2) || Subject)"), NULL,
         "power(pressure)", random = "list(Subject = pdDiag(~ pressure + I(pressure^2)))",
         r_variance = "varPower(form = ~ pressure)")

residual("oats_lme_nested_ident", "Oats", "REML", "yield ~ nitro * Variety + (1 | Block / Variety)", NULL, "~ Variety",
         random = "~ 1 | Block / Variety", r_variance = "varIdent(form = ~ 1 | Variety)")
residual("wheat_gls_exp", "Wheat2", "REML", "yield ~ variety", "exp(latitude + longitude | Block)",
         r_correlation = "corExp(form = ~ latitude + longitude | Block)")
residual("wheat_gls_exp_nugget", "Wheat2", "REML", "yield ~ variety", "exp(latitude + longitude | Block, nugget=True)",
         r_correlation = "corExp(form = ~ latitude + longitude | Block, nugget = TRUE)")
residual("wheat_gls_gau_nugget_ml", "Wheat2", "ML", "yield ~ variety", "gau(latitude + longitude | Block, nugget=True)",
         r_correlation = "corGaus(form = ~ latitude + longitude | Block, nugget = TRUE)")
