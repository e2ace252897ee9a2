# Autocorrelations of residuals by nlme's ACF: r_parity/references/autocorrelation.json.
# Rows are in order of the groups: residuals(type = "normalized") of others takes pieces of rows of the wrong groups.
#   Rscript r_parity/autocorrelation.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages(library(nlme))
here <- folder_of_script()
source(file.path(here, "collect.R"))
out <- argument("out", here)
tight <- lmeControl(tolerance = 1e-10, msTol = 1e-12, niterEM = 50, msMaxIter = 200)

case <- function(data, formula, correlation, fit, type, ...) {
  table <- ACF(fit, resType = type, ...)
  list(data = data, formula = formula, correlation = correlation, type = type,
       acf = I(table$ACF), pairs = I(attr(table, "n.used")))
}

mares <- Ovary[order(Ovary$Mare), ]
rats <- BodyWeight[order(BodyWeight$Rat, BodyWeight$Time), ]
cycle <- follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time)
plain <- lme(cycle, mares, ~ 1 | Mare, control = tight)
ar1 <- update(plain, correlation = corAR1())
growth <- lme(weight ~ Time * Diet, rats, ~ Time | Rat, control = tight)
ovary <- "follicles ~ np.sin(2 * np.pi * Time) + np.cos(2 * np.pi * Time) + (1 | Mare)"
weight <- "weight ~ Time * Diet + (Time | Rat)"
cases <- list(
  ovary = case("Ovary", ovary, "", plain, "pearson"),
  ovary_ar1 = case("Ovary", ovary, "ar1(1 | Mare)", ar1, "normalized"),
  ovary_ar1_pearson = case("Ovary", ovary, "ar1(1 | Mare)", ar1, "pearson", maxLag = 30),
  rats = case("BodyWeight", weight, "", growth, "response", maxLag = 4))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "autocorrelation.json"))
