# Letters, joint tests, multivariate t, other scales, weights and contrasts by emmeans and multcomp:
# r_parity/references/marginal_tests.json.
#   Rscript r_parity/marginal_tests.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(pbkrtest)
  library(emmeans); library(multcomp); library(mvtnorm); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R", "glmm_tight.R", "several_tight.R", "emmeans_models.R"))
  source(file.path(here, file))
out <- argument("out", here)

models <- list(
  machines = lmm("Machines", "score ~ Machine + (Machine | Worker)"),
  orthodont = lmm("Orthodont", "distance ~ age * Sex + (age | Subject)"),
  cake = lmm("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)"),
  oats = lmm("Oats", "yield ~ Variety * nitro + (1 | Block / Variety)"),
  ham = lmm("ham", "Informed.liking ~ Product * Information + Gender + Age + (1 | Consumer)"),
  carrots = lmm("carrots", "Preference ~ Homesize * sens2 + Product + (1 | Consumer)"),
  cbpp = glmm("cbpp", "incidence / size ~ period + (1 | herd)", "binomial", "size"),
  ticks = glmm("grouseticks", "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)", "poisson"),
  verb = glmm("VerbAgg", "r2 ~ Anger + Gender + btype * situ + (1 | id) + (1 | item)", "binomial"),
  salamanders = glmm("Salamanders", "count ~ mined + cover + spp + (1 | site)", "nbinom2"),
  bacteria = glmm("bacteria", "y ~ trt + week + (1 | ID)", "binomial"))
families <- list(binomial = binomial, poisson = poisson, nbinom2 = nbinom2)
fits <- lapply(models, function(m) {
  if (is.null(m$family)) linear(m$data, m$formula)
  else generalised(m$data, m$formula, families[[m$family]], m$prior)
})
# Zeros and a dispersion of their own, and an offset; glmmTMB's alone.
models$owls <- c(glmm("Owls", "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)", "nbinom2"),
                 list(ziformula = "~ FoodTreatment"))
fits$owls <- tight_glmmTMB(glmmTMB(
  SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest),
  model_data("Owls"), nbinom2, ziformula = ~ FoodTreatment))
models$dispersed <- c(glmm("Salamanders", "count ~ spp + mined + (1 | site)", "nbinom2"),
                      list(dispformula = "~ mined"))
fits$dispersed <- tight_glmmTMB(glmmTMB(count ~ spp + mined + (1 | site),
                                        model_data("Salamanders"), nbinom2, dispformula = ~ mined))
# Missing cells: what can be estimated is tested.
holes <- model_data("cake")
holes <- holes[!(holes$recipe == "C" & holes$temperature %in% c("215", "225")), ]
models$holes <- c(lmm("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)"),
                  list(without = list(recipe = "C", temperature = c("215", "225"))))
holes_formula <- angle ~ recipe * temperature + (1 | recipe:replicate)
fits$holes <- lmerTest::lmer(holes_formula, holes, control = lmerControl(
  optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5), calc.derivs = FALSE))

means_of <- function(model, specs, ddf = "satterthwaite", ...) {
  arguments <- list(object = fits[[model]], specs = specs, lmer.df = ddf, ...)
  if (inherits(fits[[model]], "glmmTMB")) arguments$df <- Inf
  if (model == "holes") arguments$data <- holes
  suppressMessages(do.call(emmeans, arguments))
}
case <- function(model, kind, call, frame, ...)
  c(models[[model]], list(model = model, kind = kind, call = call, frame = plain(frame), ...))

# Compact letters, of Tukey's p-values.
letter_case <- function(model, specs, ..., adjust = "tukey") {
  shown <- multcomp::cld(means_of(model, specs, ...), Letters = letters, adjust = adjust)
  shown$.group <- gsub(" ", "", shown$.group)
  case(model, "letters", list(specs = I(specs), adjust = adjust, ...), shown)
}
# Joint tests; F is rounded to three digits there, p-values are not.
joint_case <- function(model, by = NULL, ddf = "satterthwaite") {
  arguments <- list(object = fits[[model]], lmer.df = ddf, cov.reduce = meanint)
  if (model == "holes") arguments$data <- holes
  grid <- do.call(ref_grid, arguments)
  # glmmTMB's degrees of freedom are residual ones here, whatever the family.
  if (inherits(fits[[model]], "glmmTMB")) grid@dffun <- function(k, dfargs) Inf
  shown <- suppressMessages(joint_tests(grid, by = by))
  case(model, "joint", list(by = by, ddf = ddf), as.data.frame(shown))
}
# Multivariate t: p-values by mvtnorm with tight tolerances, for whole or infinite degrees of freedom.
mvt_case <- function(model, specs, method, side = 0, ...) {
  made <- contrast(means_of(model, specs, ...), method, adjust = "none")
  shown <- as.data.frame(summary(made, infer = c(FALSE, TRUE), side = side))
  t <- shown[[intersect(c("t.ratio", "z.ratio"), names(shown))]]
  df <- if (all(is.finite(shown$df))) round(shown$df) else rep(0, length(t))
  stopifnot(all(is.infinite(shown$df)) || max(abs(shown$df - df)) < 1e-3)
  R <- cov2cor(vcov(made)); k <- length(t)
  set.seed(1)
  shown$p.value <- sapply(seq_len(k), function(i) {
    ends <- if (side == 0) abs(t[i]) * c(-1, 1) else if (side > 0) c(-Inf, t[i]) else c(t[i], Inf)
    1 - pmvt(rep(ends[1], k), rep(ends[2], k), df = df[i], corr = R,
             algorithm = GenzBretz(maxpts = 4e6, abseps = 2e-6))
  })
  case(model, "contrast", list(specs = I(specs), method = method, adjust = "mvt", side = side, ...), shown)
}
contrast_case <- function(model, specs, method, adjust = "none", type = "link", interaction = FALSE,
                          ratios = TRUE, test = list(), ...) {
  means <- means_of(model, specs, ...)
  made <- if (isFALSE(interaction)) contrast(means, method, adjust = adjust, ratios = ratios)
          else contrast(means, interaction = interaction)
  shown <- do.call(summary, c(list(made, infer = c(TRUE, TRUE), type = type), test))
  case(model, "contrast", c(list(specs = I(specs), method = method, adjust = adjust, type = type,
                                 interaction = interaction, ratios = ratios, test = test), list(...)),
       shown)
}
means_case <- function(model, specs, type = "link", regrid = FALSE, sigma = NULL, test = NULL,
                       pairs = FALSE, component = NULL, ...) {
  arguments <- list(model, specs, ...)
  if (!is.null(component)) arguments$component <- component
  if (!isFALSE(regrid)) arguments$regrid <- "response"
  means <- do.call(means_of, arguments)
  if (pairs) means <- contrast(means, "pairwise", adjust = "none")
  shown <- do.call(summary, c(list(means, type = type, infer = c(TRUE, !is.null(test) || pairs)),
                              if (!is.null(sigma)) list(bias.adjust = TRUE, sigma = sigma), test))
  case(model, "means", c(list(specs = I(specs), type = type, regrid = !isFALSE(regrid),
                              sigma = sigma, test = test, pairs = pairs, component = component),
                         list(...)), shown)
}

cases <- list(
  letters_machines = letter_case("machines", "Machine"),
  letters_temperature = letter_case("cake", "temperature"),
  letters_by = letter_case("ham", "Product", by = "Information"),
  letters_spp = letter_case("salamanders", "spp"),
  joint_machines = joint_case("machines"),
  joint_machines_kr = joint_case("machines", ddf = "kenward-roger"),
  joint_orthodont = joint_case("orthodont"),
  joint_orthodont_by = joint_case("orthodont", by = "Sex"),
  joint_cake = joint_case("cake"),
  joint_oats = joint_case("oats", by = "Variety"),
  joint_ham = joint_case("ham"),
  joint_carrots = joint_case("carrots"),
  joint_holes = joint_case("holes"),
  joint_cbpp = joint_case("cbpp"),
  joint_verb = joint_case("verb"),
  joint_salamanders = joint_case("salamanders"),
  mvt_cake = mvt_case("cake", "temperature", "consec"),
  mvt_cake_change = mvt_case("cake", "temperature", "mean_chg"),
  mvt_cbpp = mvt_case("cbpp", "period", "trt.vs.ctrl"),
  mvt_cbpp_pairs = mvt_case("cbpp", "period", "pairwise"),
  mvt_cbpp_right = mvt_case("cbpp", "period", "trt.vs.ctrl", side = 1),
  mvt_cbpp_left = mvt_case("cbpp", "period", "consec", side = -1),
  mvt_spp = mvt_case("salamanders", "spp", "consec"),
  others_machines = contrast_case("machines", "Machine", "del.eff", "fdr"),
  change_spp = contrast_case("salamanders", "spp", "mean_chg"),
  identity_cbpp = contrast_case("cbpp", "period", "identity", "sidak"),
  last_cake = contrast_case("cake", "temperature", "trt.vs.ctrlk", "holm"),
  poly_cake = contrast_case("cake", "temperature", "poly"),
  interaction_cake = contrast_case("cake", c("recipe", "temperature"), "", interaction = c("pairwise", "poly")),
  interaction_verb = contrast_case("verb", c("btype", "situ"), "", interaction = "pairwise", type = "response"),
  differences_ticks = contrast_case("ticks", "YEAR", "pairwise", type = "response", ratios = FALSE),
  equivalence = contrast_case("machines", "Machine", "pairwise", test = list(delta = 10)),
  noninferior = contrast_case("cbpp", "period", "trt.vs.ctrl", "sidak", test = list(delta = 0.5, side = 1)),
  one_sided = contrast_case("ham", "Product", "pairwise", "tukey", test = list(side = "<")),
  null_ticks = means_case("ticks", "YEAR", type = "response", test = list(null = 0.2)),
  superior_machines = means_case("machines", "Machine", test = list(null = 55, side = ">", adjust = "bonferroni")),
  bias_cbpp = means_case("cbpp", "period", type = "response", sigma = 0.65),
  bias_ticks = means_case("ticks", "YEAR", type = "response", sigma = 1.1),
  regrid_cbpp = means_case("cbpp", "period", regrid = TRUE),
  regrid_cbpp_pairs = means_case("cbpp", "period", regrid = TRUE, pairs = TRUE),
  regrid_verb = means_case("verb", "situ", regrid = TRUE, pairs = TRUE),
  outer_ham = means_case("ham", "Product", weights = "outer"),
  cells_ham = means_case("ham", "Gender", weights = "cells"),
  cells_verb = means_case("verb", "btype", weights = "cells"),
  flat_holes = means_case("holes", "recipe", weights = "flat"),
  cells_holes = means_case("holes", "temperature", weights = "cells"),
  proportional_spp = means_case("salamanders", "mined", weights = "proportional"),
  at_orthodont = means_case("orthodont", c("Sex", "age"), at = list(age = c(9, 12.5))),
  zi_owls = means_case("owls", "FoodTreatment", component = "zi", type = "response"),
  offset_owls = means_case("owls", "FoodTreatment", offset = 0.5, type = "response"),
  disp_salamanders = means_case("dispersed", "mined", component = "disp", type = "response"))
cases$versions <- c(versions(), list(emmeans = as.character(packageVersion("emmeans")),
                                     multcomp = as.character(packageVersion("multcomp")),
                                     mvtnorm = as.character(packageVersion("mvtnorm"))))
dir.create(file.path(out, "references"), showWarnings = FALSE, recursive = TRUE)
write_reference(cases, file.path(out, "references", "marginal_tests.json"))
