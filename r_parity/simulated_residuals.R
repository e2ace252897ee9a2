# Scaled residuals from given draws, and their tests: r_parity/references/simulated_residuals.json.
#   Rscript r_parity/simulated_residuals.R [--out r_parity]
# DHARMa's definitions (getQuantile, testGeneric, testOutliers, testTemporalAutocorrelation,
# testSpatialAutocorrelation), with the functions of stats, lmtest and ape that it calls.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({ library(lmtest); library(ape) })
here <- folder_of_script()
source(file.path(here, "collect.R"))
out <- argument("out", here)

p_of <- function(simulated, observed, alternative) switch(alternative,
  greater = mean(simulated >= observed), less = mean(simulated <= observed),
  two.sided = min(min(mean(simulated <= observed), mean(simulated >= observed)) * 2, 1))
SIDES <- c("two.sided", "greater", "less")

by_side <- function(f) lapply(setNames(SIDES, SIDES), f)

case <- function(n, nsim, draw, shift, seed) {
  set.seed(seed)
  simulated <- matrix(draw(n * nsim), n)
  observed <- draw(n) * shift
  fitted <- rowMeans(simulated)
  lower <- rowMeans(simulated < observed)
  upper <- rowMeans(simulated <= observed)
  # randomised ones at the middle, so that there is nothing random in what follows
  u <- (lower + upper) / 2
  group <- rep_len(1:7, n)
  sums <- function(x) as.vector(tapply(x, group, sum))
  grouped <- apply(simulated, 2, sums)
  place <- matrix(runif(2 * n), n)
  w <- 1 / as.matrix(dist(place)); diag(w) <- 0
  spread <- function(x) sd(x - fitted)
  zeros <- function(x) sum(x == 0)
  generic <- function(f) {
    simulated_values <- apply(simulated, 2, f)
    list(ratio = f(observed) / mean(simulated_values),
         p = by_side(function(a) p_of(simulated_values, f(observed), a)))
  }
  edge <- 1 / (nsim + 1)
  number <- sum(u < edge) + sum(u > 1 - edge)
  list(observed = I(observed), simulated = simulated, lower = I(lower), upper = I(upper), u = I(u),
       group = I(group), grouped_lower = I(rowMeans(grouped < sums(observed))),
       grouped_upper = I(rowMeans(grouped <= sums(observed))), place = place,
       ks = by_side(function(a) {
         found <- suppressWarnings(ks.test(u, "punif", alternative = a))
         c(unname(found$statistic), found$p.value) }),
       dw = by_side(function(a) {
         found <- dwtest(u ~ 1, alternative = a)
         c(unname(found$statistic), found$p.value) }),
       moran = by_side(function(a) unlist(Moran.I(u, w, alternative = a))),
       dispersion = generic(spread), zeros = generic(zeros),
       outliers = list(number = number, p = by_side(function(a)
         binom.test(number, n, 2 * edge, alternative = a)$p.value)))
}

plain <- function(n, power, seed) {
  set.seed(seed)
  u <- runif(n)^power
  list(u = I(u), ks = by_side(function(a) {
    found <- ks.test(u, "punif", alternative = a)
    c(unname(found$statistic), found$p.value) }))
}

cases <- list(
  without_ties = list(plain(12, 1, 5), plain(60, 1.2, 6), plain(99, 1.5, 7), plain(150, 1.2, 8)),
  normal = case(40, 60, rnorm, 1, 1), wide = case(130, 40, rnorm, 1.3, 2),
  counts = case(45, 50, function(n) rpois(n, 1.5), 1, 3),
  many_counts = case(120, 30, function(n) rnbinom(n, 2, mu = 2), 1, 4))
cases$versions <- list(R = as.character(getRversion()), lmtest = as.character(packageVersion("lmtest")),
                       ape = as.character(packageVersion("ape")))
write_reference(cases, file.path(out, "references", "simulated_residuals.json"))
