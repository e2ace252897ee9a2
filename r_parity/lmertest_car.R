# Tests in the tables of lmerTest (contest, ls_means) and car (Anova): references/lmertest_car.json.
#   Rscript r_parity/lmertest_car.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(lme4); library(lmerTest, exclude = "lmer"); library(pbkrtest)
  library(car); library(glmmTMB)
})
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R", "emmeans_models.R"))
  source(file.path(here, file))
out <- argument("out", here)

models <- list(
  cake = lmm("cake", "angle ~ recipe * temperature + (1 | recipe:replicate)"),
  orthodont = lmm("Orthodont", "distance ~ age * Sex + (age | Subject)"),
  ham = lmm("ham", "Informed.liking ~ Product * Information + Gender + Age + (1 | Consumer)"),
  cbpp = glmm("cbpp", "incidence / size ~ period + (1 | herd)", "binomial", "size"),
  salamanders = glmm("Salamanders", "count ~ mined * cover + spp + (1 | site)", "nbinom2"))
families <- list(binomial = binomial, nbinom2 = nbinom2)
fits <- lapply(models, function(m) {
  if (is.null(m$family)) linear(m$data, m$formula)
  else generalised(m$data, m$formula, families[[m$family]], m$prior)
})
case <- function(model, kind, call, frame)
  c(models[[model]], list(model = model, kind = kind, call = call,
                          rows = I(row.names(as.data.frame(frame))), frame = plain(frame)))
anova_case <- function(model, type, test)
  case(model, "Anova", list(type = type, test = test),
       if (is.null(models[[model]]$family)) Anova(fits[[model]], type = type, test.statistic = test)
       else Anova(fits[[model]], type = type))
# lmerTest's own class, at the tight optimum
with_tests <- function(model) suppressMessages(as_lmerModLmerTest(fits[[model]]))
means_case <- function(model, ddf = "Satterthwaite", pairwise = FALSE)
  case(model, "ls_means", list(ddf = ddf, pairwise = pairwise),
       as.data.frame(ls_means(with_tests(model), ddf = ddf, pairwise = pairwise)))
contest_case <- function(model, rows, joint, rhs = 0, ddf = "Satterthwaite") {
  L <- diag(length(fixef(fits[[model]])))[rows, , drop = FALSE]
  case(model, "contest", list(rows = I(rows - 1), joint = joint, rhs = I(rhs), ddf = ddf),
       contest(with_tests(model), L, joint = joint, rhs = rhs, ddf = ddf))
}
cases <- list(
  anova_cake_3f = anova_case("cake", "III", "F"), anova_cake_2f = anova_case("cake", "II", "F"),
  anova_orthodont_3c = anova_case("orthodont", "III", "Chisq"),
  anova_orthodont_2c = anova_case("orthodont", "II", "Chisq"),
  anova_orthodont_2f = anova_case("orthodont", "II", "F"),
  anova_ham_3f = anova_case("ham", "III", "F"), anova_ham_2c = anova_case("ham", "II", "Chisq"),
  anova_cbpp_2c = anova_case("cbpp", "II", "Chisq"), anova_cbpp_3c = anova_case("cbpp", "III", "Chisq"),
  anova_salamanders_2c = anova_case("salamanders", "II", "Chisq"),
  anova_salamanders_3c = anova_case("salamanders", "III", "Chisq"),
  means_cake = means_case("cake"), means_ham = means_case("ham"),
  means_orthodont_kr = means_case("orthodont", "Kenward-Roger"),
  diff_cake = means_case("cake", pairwise = TRUE),
  contest_ham = contest_case("ham", 2:4, TRUE), contest_ham_1 = contest_case("ham", 2:4, FALSE),
  contest_orthodont_rhs = contest_case("orthodont", 2:3, TRUE, rhs = c(0.5, 1)),
  contest_orthodont_kr = contest_case("orthodont", 2:4, TRUE, ddf = "Kenward-Roger"))
cases$versions <- c(versions(), list(car = as.character(packageVersion("car")),
                                     lmerTest = as.character(packageVersion("lmerTest"))))
dir.create(file.path(out, "references"), showWarnings = FALSE, recursive = TRUE)
write_reference(cases, file.path(out, "references", "lmertest_car.json"))
