# Marginal means and their contrasts by R's emmeans: r_parity/references/emmeans.json.
#   Rscript r_parity/emmeans.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(pbkrtest)
  library(emmeans); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R", "glmm_tight.R", "several_tight.R", "emmeans_models.R"))
  source(file.path(here, file))
out <- argument("out", here)

# A case: the model, the arguments of emmeans, contrasts by method and adjustment.
case <- function(fit, python, specs, by = NULL, at = NULL, type = "link", weights = "equal",
                 ddf = "satterthwaite", contrasts = list(c("pairwise", "tukey")), trend = NULL) {
  arguments <- list(object = fit, specs = specs, by = by, weights = weights, lmer.df = ddf)
  if (inherits(fit, "glmmTMB")) arguments$df <- Inf
  if (!is.null(at)) arguments$at <- at
  means <- if (is.null(trend)) do.call(emmeans, arguments)
           else do.call(emtrends, c(arguments, list(var = trend)))
  told <- lapply(contrasts, function(one) {
    made <- contrast(means, method = one[1], adjust = one[2])
    list(method = one[1], adjust = one[2],
         frame = plain(summary(made, infer = c(TRUE, TRUE), type = type, adjust = one[2])))
  })
  c(python, list(specs = I(specs), by = by, at = at, type = type, weights = weights, ddf = ddf,
                 trend = trend, means = plain(summary(means, type = type)), contrasts = told))
}

machines <- linear("Machines", "score ~ Machine + (Machine | Worker)")
orthodont <- linear("Orthodont", "distance ~ age * Sex + (age | Subject)")
cake <- linear("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)")
oats <- linear("Oats", "yield ~ Variety * nitro + (1 | Block / Variety)")
ham <- linear("ham", "Informed.liking ~ Product * Information + Gender + Age + (1 | Consumer)")
cbpp <- generalised("cbpp", "incidence / size ~ period + (1 | herd)", binomial, "size")
ticks <- generalised("grouseticks", "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)", poisson)
verb <- generalised("VerbAgg", "r2 ~ Anger + Gender + btype * situ + (1 | id) + (1 | item)", binomial)
every <- lapply(c("tukey", "sidak", "bonferroni", "holm", "fdr", "scheffe", "none"),
                function(a) c("pairwise", a))
M <- lmm("Machines", "score ~ Machine + (Machine | Worker)")
O <- lmm("Orthodont", "distance ~ age * Sex + (age | Subject)")
K <- lmm("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)")
Y <- lmm("Oats", "`yield` ~ Variety * nitro + (1 | Block / Variety)")
H <- lmm("ham", "`Informed.liking` ~ Product * Information + Gender + Age + (1 | Consumer)")
B <- glmm("cbpp", "incidence / size ~ period + (1 | herd)", "binomial", "size")
P <- glmm("grouseticks", "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)", "poisson")
V <- glmm("VerbAgg", "r2 ~ Anger + Gender + btype * situ + (1 | id) + (1 | item)", "binomial")

cases <- list(
  machines = case(machines, M, "Machine", contrasts = every),
  machines_kr = case(machines, M, "Machine", ddf = "kenward-roger"),
  machines_methods = case(machines, M, "Machine", contrasts = list(
    c("revpairwise", "none"), c("eff", "fdr"), c("consec", "sidak"), c("poly", "none"),
    c("trt.vs.ctrl", "dunnettx"))),
  orthodont = case(orthodont, O, "Sex"),
  orthodont_at = case(orthodont, O, c("Sex", "age"), at = list(age = c(8, 14))),
  orthodont_trend = case(orthodont, O, "Sex", trend = "age"),
  cake = case(cake, K, "recipe", by = "temperature"),
  cake_temperature = case(cake, K, "temperature",
                          contrasts = list(c("trt.vs.ctrl", "dunnettx"), c("poly", "none"))),
  oats = case(oats, Y, "Variety", by = "nitro", at = list(nitro = c(0, 0.4))),
  oats_trend = case(oats, Y, "Variety", trend = "nitro", ddf = "kenward-roger"),
  ham = case(ham, H, c("Product", "Information")),
  ham_proportional = case(ham, H, "Information", weights = "proportional"),
  cbpp = case(cbpp, B, "period", contrasts = every),
  cbpp_response = case(cbpp, B, "period", type = "response"),
  ticks = case(ticks, P, "YEAR"),
  ticks_response = case(ticks, P, "YEAR", type = "response", at = list(cHEIGHT = 50),
                        contrasts = list(c("pairwise", "tukey"), c("trt.vs.ctrl", "dunnettx"))),
  verb = case(verb, V, "btype", by = "situ"),
  verb_response = case(verb, V, "btype", type = "response", weights = "proportional"))
cases$versions <- c(versions(), list(emmeans = as.character(packageVersion("emmeans"))))
dir.create(file.path(out, "references"), showWarnings = FALSE, recursive = TRUE)
write_reference(cases, file.path(out, "references", "emmeans.json"))
