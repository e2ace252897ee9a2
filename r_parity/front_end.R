# Model matrices, level orders and term orders of R, for the tests of the front end.
# Rscript r_parity/front_end.R > r_parity/references/front_end.json
suppressMessages({library(lme4); library(splines); library(jsonlite)})

set.seed(20)
n <- 36
d <- data.frame(
  x = round(rnorm(n, 2), 3), z = round(runif(n, 0.5, 4), 3),
  f = rep(c("b", "a", "c"), 12), g = rep(c("u", "v"), each = 18),
  o = rep(c("lo", "mid", "hi", "top"), 9), k = rep(c(10, 2, 1), each = 12),
  b = rep(c(TRUE, FALSE, FALSE, TRUE, TRUE, FALSE), 6),
  s = rep(c("s10", "s9", "s1", "s2"), 9), y = round(rnorm(n), 3))
D <- transform(d, f = factor(f), g = factor(g), s = factor(s),
               o = factor(o, levels = c("lo", "mid", "hi", "top"), ordered = TRUE))

matrices <- c(
  "x", "poly(x, 2)", "poly(x, 3, raw = TRUE)", "ns(x, 3)", "ns(z, df = 4)", "ns(x, knots = c(1, 2))",
  "ns(x, 2)", "ns(x, df = 3, intercept = TRUE)", "bs(x, df = 5)", "bs(z, degree = 2, df = 4)", "scale(x)",
  "I(x^2)", "x^2", "log(z)", "sqrt(z) + exp(x)", "f", "f * g", "f:g", "0 + f", "0 + f + g", "x:f", "x * f - f",
  "f / x", "g / f", "(x + f + g)^2", "x %in% f", "o", "o * f", "0 + o", "b", "b * f", "factor(k)",
  "as.factor(k) * x", "x * z * f", "f + poly(x, 2):f", "-1 + x + f", "x + f + x:f - x", "o:x", "f:o")
contrasts <- list(
  sum = list(f = "contr.sum"), helmert = list(f = "contr.helmert"), poly = list(f = "contr.poly"),
  treatment = list(o = "contr.treatment"), SAS = list(f = "contr.SAS"))
outside <- data.frame(x = c(-5, 0, 2, 9), z = c(0.1, 1, 3, 6))

bare <- function(m) { dimnames(m) <- NULL; attributes(m) <- list(dim = dim(m)); m }
mm <- function(text, ...) bare(model.matrix(as.formula(paste("~", text)), D, ...))
new <- function(text) {
  t <- terms(model.frame(as.formula(paste("~", text)), D))
  bare(suppressWarnings(model.matrix(t, model.frame(t, outside))))
}
quiet <- lmerControl(check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore",
                     check.rankX = "ignore", check.scaleX = "ignore")
re <- function(text) {
  r <- suppressWarnings(lFormula(as.formula(text), D, control = quiet))$reTrms
  list(groups = names(r$cnms), widths = unname(sapply(r$cnms, length)), factors = names(r$flist),
       levels = unname(lapply(r$flist, levels)), codes = unname(lapply(r$flist, as.integer)),
       Z = lapply(r$Ztlist, function(z) unname(as.matrix(t(z))))[0])
}
random <- c(
  "y ~ x + (1 | f)", "y ~ x + (x | f)", "y ~ x + (x || f)", "y ~ x + (0 + x | f) + (1 | f)",
  "y ~ x + (1 | g/f)", "y ~ x + (1 | f/g/s)", "y ~ x + (1 | f:g)", "y ~ x + (1 | g:f)",
  "y ~ x + (1 | f) + (1 | g) + (1 | s)", "y ~ x + (1 | f) + (1 | k)", "y ~ x + (1 | g) + (1 | b)",
  "y ~ x + (1 | s) + (1 | f) + (1 | k) + (1 | g)", "y ~ x + (1 | g) + (1 | f) + (1 | k)",
  "y ~ x + (f || g)", "y ~ x + (f * x || g)", "y ~ x + (0 + f | g)", "y ~ x + (o | g)",
  "y ~ x + (1 | k:b)", "y ~ x + (x - 1 | f)", "y ~ x + (1 | g) + (1 | f:g) + (x | k)",
  "y ~ x + (1 | s/(f:g))")
left <- function(text) bare(suppressWarnings(lFormula(as.formula(paste0("y ~ 1 + (", text, " | g)")),
                                                      D, control = quiet))$reTrms |> (\(r) {
  k <- length(r$cnms[[1]]); Z <- as.matrix(t(r$Zt)); l <- nlevels(r$flist[[1]])
  sapply(seq_len(k), \(j) rowSums(Z[, seq(j, by = k, length.out = l), drop = FALSE]))
})())
dependent <- list(
  c("x", "I(2 * x)", "z"), c("f", "I(1 * (f == 'b'))", "x"), c("x", "z", "I(x + z)", "g"))
dropped <- function(parts) {
  X <- model.matrix(as.formula(paste("~", paste(parts, collapse = " + "))), D)
  q <- qr(X, tol = 1e-7, LAPACK = FALSE)
  sort(q$pivot[seq_len(q$rank)]) - 1L
}
all_named <- function(keys, fun) setNames(lapply(keys, fun), keys)

cat(toJSON(list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))),
  data = d,
  matrices = all_named(matrices, mm),
  contrasts = lapply(contrasts, function(c)
    list(columns = names(c), coding = unname(sub("contr.", "", unlist(c))),
         matrix = mm(paste("x *", names(c)), contrasts.arg = c))),
  outside = outside,
  new = all_named(c("poly(x, 2)", "ns(x, 3)", "ns(z, df = 4)", "scale(x)",
                    "ns(x, df = 3, intercept = TRUE)"), new),
  random = all_named(random, re),
  left = all_named(c("x", "f", "0 + f", "o", "poly(x, 2)", "x * f", "0 + x + z"), left),
  dependent = lapply(dependent, function(p) list(parts = p, kept = dropped(p)))
), digits = I(15), auto_unbox = TRUE, matrix = "rowmajor", dataframe = "columns"))
cat("\n")
