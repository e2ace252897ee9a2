# What pictures are made of: r_parity/references/pictures.json.
#   Rscript r_parity/pictures.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({ library(Matrix); library(lme4) })
here <- folder_of_script()
for (file in c("simulate.R", "lmm_models.R", "tight.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# lowess of y on x, at 60 of its points at most
smoothed <- function(data, x, y, ...) {
  d <- model_data(data)
  l <- lowess(d[[x]], d[[y]], ...)
  kept <- which(!duplicated(l$x))
  kept <- kept[unique(round(seq(1, length(kept), length.out = min(60, length(kept)))))]
  list(data = data, x = x, y = y, at = I(l$x[kept]), smooth = I(l$y[kept]))
}
# points and line of qqnorm and qqline
quantiles <- function(data, y) {
  values <- model_data(data)[[y]]
  points <- qqnorm(values, plot.it = FALSE)
  probs <- c(0.25, 0.75)
  slope <- unname(diff(quantile(values, probs)) / diff(qnorm(probs)))
  intercept <- unname(quantile(values, probs)[1] - slope * qnorm(probs)[1])
  list(data = data, y = y, theoretical = I(sort(points$x)), intercept = intercept, slope = slope)
}

cases <- list(
  lowess = list(sleepstudy = smoothed("sleepstudy", "Days", "Reaction"),
                orthodont = smoothed("Orthodont", "age", "distance", f = 0.8),
                grouseticks = smoothed("grouseticks", "HEIGHT", "TICKS"),
                exam = smoothed("Exam", "standLRT", "normexam"),
                one_step = smoothed("Exam", "standLRT", "normexam", f = 0.3, iter = 0)),
  quantiles = list(dyestuff = quantiles("Dyestuff", "Yield"),
                   sleepstudy = quantiles("sleepstudy", "Reaction")))
cases$versions <- versions()
write_reference(cases, file.path(out, "references", "pictures.json"))
