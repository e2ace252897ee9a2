# The models of the references: id -> data, formula (R), what differs in Python, arguments.
#   data        name of a data set of a package (data/) or "sim:" and a name of simulate.R
#   python      the formula in Python, when it is not the text of R's
#   method      "REML" (default) or "ML"
#   weights, offset   names of columns;   contrasts   column -> contr.*
#   identified  FALSE when several covariance matrices have the same likelihood
#   lmertest_as the same model in other units, for lmerTest
#   restarts    optimisations from elsewhere (default 3)
#   start       theta to start from, where lme4's own start goes astray

models <- list()
model <- function(id, data, formula, ...) {
  stopifnot(is.null(models[[id]]))
  models[[id]] <<- c(list(id = id, data = data, formula = formula), list(...))
}

# the standard examples
model("L1_dyestuff", "Dyestuff", "Yield ~ 1 + (1 | Batch)")
model("L1m_dyestuff_ml", "Dyestuff", "Yield ~ 1 + (1 | Batch)", method = "ML")
model("L2_dyestuff2", "Dyestuff2", "Yield ~ 1 + (1 | Batch)")
model("L3_sleepstudy", "sleepstudy", "Reaction ~ Days + (Days | Subject)")
model("L3m_sleepstudy_ml", "sleepstudy", "Reaction ~ Days + (Days | Subject)", method = "ML")
model("L3u_sleepstudy_uncorrelated", "sleepstudy", "Reaction ~ Days + (Days || Subject)")
model("L4_penicillin", "Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
model("L4m_penicillin_ml", "Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", method = "ML")
model("L5_pastes", "Pastes", "strength ~ 1 + (1 | batch/cask)")
model("L5m_pastes_ml", "Pastes", "strength ~ 1 + (1 | batch/cask)", method = "ML")
model("L6_cake", "cake", "angle ~ recipe * temperature + (1 | recipe:replicate)")
model("L6m_cake_ml", "cake", "angle ~ recipe * temperature + (1 | recipe:replicate)", method = "ML")
model("L7_machines", "Machines", "score ~ Machine + (Machine | Worker)")
model("L7n_machines_nested", "Machines", "score ~ Machine + (1 | Worker/Machine)")
model("L8_orthodont", "Orthodont", "distance ~ age * Sex + (age | Subject)")
model("L8m_orthodont_ml", "Orthodont", "distance ~ age * Sex + (age | Subject)", method = "ML")
model("L9_oats", "Oats", "yield ~ nitro + (1 | Block/Variety)", python = "`yield` ~ nitro + (1 | Block/Variety)")
model("L10_exam_ml", "Exam", "normexam ~ standLRT + sex + schgend + (standLRT | school)", method = "ML")
model("L11_scotssec", "ScotsSec", "attain ~ verbal + sex + (1 | primary) + (1 | second)")
model("L12_chem97", "Chem97", "score ~ gcsecnt + (1 | school) + (1 | lea)", restarts = 0)
model("L13_carrots", "carrots", "Preference ~ sens2 * Homesize + (1 + sens2 | Consumer)")
model("L14_ham", "ham", "Informed.liking ~ Product * Information + (1 | Consumer) + (1 | Product:Consumer)",
      python = "`Informed.liking` ~ Product * Information + (1 | Consumer) + (1 | Product:Consumer)")
model("L15_insteval", "InstEval", "y ~ service + (1 | s) + (1 | d) + (1 | dept:service)", restarts = 0)

# random-effect grammar
model("re_double_bar", "sim:mixed", "y ~ x + z + (x + z || g)")
model("re_double_bar_factor", "sim:mixed", "y ~ f + (f || g)", identified = FALSE)
model("re_double_bar_cells", "sim:mixed", "y ~ x + f + (0 + f + x || g)")
model("re_cells", "sim:mixed", "y ~ f + (0 + f | g)")
model("re_cells_crossed", "sim:mixed", "y ~ x + f + (0 + f | g) + (1 | h)", method = "ML")
model("re_factor", "sim:mixed", "y ~ x + f + (f | g)")
model("re_ordered", "sim:mixed", "y ~ x + o + (o | g)")
model("re_logical", "sim:mixed", "y ~ x + flag + (flag | g)")
model("re_slope_only", "sim:mixed", "y ~ x + (0 + x | g)")
model("re_minus_one", "sim:mixed", "y ~ x + (x - 1 | g) + (1 | h)")
model("re_two_terms", "sim:mixed", "y ~ x + (1 | g) + (0 + x | g)")
model("re_two_terms_apart", "sim:mixed", "y ~ x + (1 | g) + (1 | h) + (0 + x | g)")
model("re_slopes_crossed", "sim:mixed", "y ~ x + z + (x | g) + (z | h)")
model("re_interaction_of_covariates", "sim:mixed", "y ~ x * z + (x * z | g)", method = "ML")
model("re_square", "sim:mixed", "y ~ x + I(x^2) + (x + I(x^2) | g)", python = "y ~ x + I(x**2) + (x + I(x**2) | g)")
model("re_log", "sim:mixed", "y ~ log(z + 1) + (log(z + 1) | h)")
model("re_slope_without_fixed", "sim:mixed", "y ~ 1 + (x | g)")
model("re_cell_levels", "sim:mixed", "y ~ x + (1 | g:h)")
model("re_slash", "sim:nested", "y ~ x + (x | region/school)")
model("re_slash_three", "sim:nested", "y ~ x + (1 | region/school/class)")
model("re_slash_three_ml", "sim:nested", "y ~ x + (1 | region/school/class)", method = "ML")
model("re_star", "sim:mixed", "y ~ x + (1 | g) + (1 | h) + (1 | g:h)", python = "y ~ x + (1 | g * h)")
model("re_three_crossed", "sim:three", "y ~ x + (1 | a) + (1 | b) + (1 | c)")
model("re_three_crossed_slope", "sim:three", "y ~ x + (1 | c) + (x | b) + (1 | a)", method = "ML")
model("re_ties", "sim:ties", "y ~ x + (1 | a) + (1 | b) + (1 | c)")
model("re_ties_slopes", "sim:ties", "y ~ x + (x | a) + (1 | b)")
model("re_crossed_large", "sim:crossed", "y ~ x + (1 | s) + (1 | d)", restarts = 0)
model("re_singletons", "sim:singletons", "y ~ x + (1 | g)")
model("re_labels", "sim:labels", "y ~ x + (1 | word) + (1 | int) + (1 | number) + (1 | flag)")
model("re_labels_interaction", "sim:labels", "y ~ x + (1 | word:flag) + (1 | int)")
model("re_singular_correlation", "sim:collinear", "y ~ x + (x | g)")
model("re_singular_correlation_ml", "sim:collinear", "y ~ down + (down | g)", method = "ML")
model("re_zero_variance", "sim:balanced_out", "y ~ x + (1 | g) + (1 | h)")
model("re_zero_variance_ml", "sim:balanced_out", "y ~ x + (1 | h) + (1 | g)", method = "ML")

# fixed-effect grammar
model("fe_poly", "sim:mixed", "y ~ poly(x, 3) + z + (1 | g)")
model("fe_ns", "sim:mixed", "y ~ ns(x, df = 3) + (1 | g)")
model("fe_bs", "sim:mixed", "y ~ bs(x, df = 5) + (x | g)")
model("fe_scale", "sim:mixed", "y ~ scale(z) + scale(x) + (1 | g)")
model("fe_log", "sim:mixed", "y ~ log(z + 0.5) + (1 | g)")
model("fe_square", "sim:mixed", "y ~ x + I(x^2) + (1 | g)", python = "y ~ x + I(x**2) + (1 | g)")
model("fe_log_response", "sim:mixed", "log(ypos) ~ x + f + (x | g)")
model("fe_factor_by_numeric", "sim:mixed", "y ~ f * x + o + (1 | g)")
model("fe_slopes_by_factor", "sim:mixed", "y ~ f + f:x + (1 | g)")
model("fe_all_pairs", "sim:mixed", "y ~ (f + x + z)^2 + (1 | h)")
model("fe_three_way", "sim:mixed", "y ~ f * flag * x + (1 | g)")
model("fe_cells", "sim:mixed", "y ~ 0 + f + x + (x | g)")
model("fe_minus_one", "sim:mixed", "y ~ x + f - 1 + (1 | g)", method = "ML")
model("fe_without_intercept", "sim:mixed", "y ~ 0 + x + (1 | g)")
model("fe_ordered_interaction", "sim:mixed", "y ~ o * x + (1 | g)")
model("fe_sum", "sim:mixed", "y ~ x * f + (1 | g)", contrasts = list(f = "sum"))
model("fe_helmert", "sim:mixed", "y ~ x + o * f + (1 | g)", contrasts = list(f = "helmert", o = "helmert"))
model("fe_sas", "sim:mixed", "y ~ x + f + (1 | g)", contrasts = list(f = "SAS"))
model("fe_poly_contrasts", "sim:mixed", "y ~ x + f + (1 | g)", contrasts = list(f = "poly"))
model("fe_treatment_of_ordered", "sim:mixed", "y ~ x + o + (1 | g)", contrasts = list(o = "treatment"))
model("fe_rank_deficient", "sim:rank", "y ~ x1 + x2 + total + f + (1 | g)")
model("fe_empty_cell", "sim:rank", "y ~ x1 + f * k + (1 | g)")
model("fe_quoted_names", "sim:mixed", "y ~ `my x` + odd.name + (1 + `my x` | g)",
      python = "y ~ `my x` + `odd.name` + (1 + `my x` | g)")
model("fe_big", "sim:scales", "y ~ x + big + (x | g)", lmertest_as = "y ~ x + z + (x | g)")
model("fe_small", "sim:scales", "y ~ x + small + (x | g)", lmertest_as = "y ~ x + z + (x | g)")
model("fe_shifted", "sim:scales", "shifted ~ x + z + (x | g)")
model("re_big", "sim:scales", "y ~ big + (big | g)", start = c(1, 0, 5e-7),
      lmertest_as = "y ~ z + (z | g)")
model("re_small", "sim:scales", "y ~ small + (small | g)", start = c(1, 0, 5e5),
      lmertest_as = "y ~ z + (z | g)")

# weights, offset, missing values
model("arg_weights", "sim:mixed", "y ~ x + z + (x | g)", weights = "w")
model("arg_weights_ml", "sim:mixed", "y ~ x + z + (1 | g) + (1 | h)", weights = "w", method = "ML")
model("arg_offset", "sim:mixed", "y ~ x + (1 | g)", offset = "off")
model("arg_offset_in_formula", "sim:mixed", "y ~ x + offset(off) + (x | g)")
model("arg_weights_and_offset", "sim:mixed", "y ~ x + f + offset(off) + (1 | g)", weights = "w", method = "ML")
model("arg_missing", "sim:missing", "y ~ x + f + (1 | g)")
model("arg_missing_crossed", "sim:missing", "y ~ x + f + (x | g) + (1 | h)", method = "ML")
