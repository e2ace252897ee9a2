# Data sets made for generalised linear mixed models; `Rscript r_parity/lmm.R` writes them to
# r_parity/data with those of simulate.R.

# Trials, counts and waiting times on two crossed factors, with everything an argument can name.
simulated$outcomes <- local({
  seeded(31)
  n <- 320
  g <- pick(n, 20, sprintf("g%02d", 1:20))
  h <- pick(n, 9, sprintf("h%d", 1:9))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  f <- pick(n, 3, c("a", "b", "c"), c(.4, .35, .25))
  m <- sample(3:12, n, TRUE)
  off <- round(rnorm(n, sd = .5), 3)
  w <- sample(c(.5, 1, 1.5, 2, 3), n, TRUE)
  bg <- rnorm(20, sd = .6)[g]
  slope <- rnorm(20, sd = .4)[g] * x
  bh <- rnorm(9, sd = .5)[h]
  eta <- -.4 + .5 * x - .3 * z + c(0, .4, -.3)[f] + bg + slope + bh
  k <- rbinom(n, m, plogis(eta))
  success <- factor(ifelse(runif(n) < plogis(eta + .2), "yes", "no"), c("no", "yes"))
  count <- rpois(n, exp(.8 + .4 * x + bg + slope + bh + off))
  over <- rnbinom(n, size = 2.5, mu = exp(1 + .3 * x - .4 * z + bg + bh))
  rare <- rbinom(n, m, exp(-1.8 + .25 * z + .3 * bg))
  data.frame(g, h, x, z, f, m, k, share = k / m, success, hit = success == "yes", off, w, count,
             over, rare, row = factor(sprintf("r%03d", 1:n)))
})

# Positive means for every link: eta > 0 with identity, sqrt, inverse and 1/mu^2 too.
simulated$positive <- local({
  seeded(32)
  n <- 240
  g <- pick(n, 16, sprintf("g%02d", 1:16))
  x <- round(runif(n, 0, 2), 3)
  f <- pick(n, 2, c("a", "b"))
  mu <- 6 + 1.5 * x + .6 * (f == "b") + rnorm(16, sd = .9)[g]
  draw_ig <- function(mu, lambda) {  # Michael, Schucany and Haas (1976)
    v <- rnorm(length(mu))^2
    root <- mu + mu^2 * v / (2 * lambda) - mu / (2 * lambda) * sqrt(4 * mu * lambda * v + mu^2 * v^2)
    ifelse(runif(length(mu)) <= mu / (mu + root), root, mu^2 / root)
  }
  data.frame(g, x, f, count = rpois(n, mu), over = rnbinom(n, size = 8, mu = mu),
             wait = round(rgamma(n, 12, scale = mu / 12), 4), path = round(draw_ig(mu, 60), 4),
             level = round(mu + rnorm(n, sd = .8), 4), w = sample(c(.5, 1, 2), n, TRUE))
})

# 0/1 in groups of two or three rows; many groups have only successes or only failures.
simulated$tiny <- local({
  seeded(33)
  sizes <- sample(2:3, 160, TRUE)
  id <- factor(sprintf("p%03d", rep(seq_along(sizes), sizes)))
  n <- length(id)
  x <- round(rnorm(n), 3)
  data.frame(id, x, y = as.integer(runif(n) < plogis(.4 + .7 * x + rnorm(160, sd = 1.2)[id])))
})

# Counts up to a million.
simulated$millions <- local({
  seeded(34)
  n <- 150
  g <- factor(sprintf("g%02d", rep(1:15, 10)))
  x <- round(rnorm(n), 3)
  eta <- 11 + .3 * x + rnorm(15, sd = 1)[g]
  data.frame(g, x, count = rpois(n, exp(eta)), over = rnbinom(n, size = 6, mu = exp(eta)),
             size = 1e6, k = rbinom(n, 1e6, plogis(eta - 11)))
})

# Nearly separated: of 60 rows that are high three fail, of the 60 others three succeed.
simulated$separated <- local({
  seeded(35)
  n <- 120
  g <- factor(sprintf("g%02d", sample(rep(1:12, 10))))
  high <- rep(c(FALSE, TRUE), each = 60)
  y <- as.integer(high)
  flipped <- c(5, 17, 41, 70, 88, 109)
  y[flipped] <- 1L - y[flipped]
  data.frame(g, high, x = round(rnorm(n), 3), y)
})

# Nested and three crossed factors, counts and 0/1; group "s01" has only zeros.
simulated$layers <- local({
  seeded(36)
  frame <- expand.grid(pupil = 1:5, class = c("a", "b", "c"), school = sprintf("s%02d", 1:14))
  n <- nrow(frame)
  x <- round(rnorm(n), 3)
  item <- pick(n, 12, sprintf("i%02d", 1:12))
  rater <- pick(n, 6, sprintf("q%d", 1:6))
  class <- interaction(frame$class, frame$school)
  eta <- .3 + .4 * x + rnorm(14, sd = .7)[frame$school] + rnorm(42, sd = .4)[class] +
    rnorm(12, sd = .5)[item] + rnorm(6, sd = .4)[rater]
  count <- rpois(n, exp(eta))
  count[frame$school == "s01"] <- 0L
  data.frame(school = frame$school, class = factor(frame$class), item, rater, x, count,
             y = as.integer(runif(n) < plogis(eta - .3)))
})

# The same successes in every group: the variance of groups is estimated as 0.
simulated$level_groups <- local({
  seeded(37)
  frame <- data.frame(g = factor(sprintf("g%02d", rep(1:12, each = 10))))
  frame$x <- round(rnorm(120), 3)
  frame$y <- as.integer(ave(frame$x + rnorm(120, sd = 2), frame$g, FUN = rank) > 5)
  frame$count <- rep(c(1L, 3L, 2L, 0L, 4L, 2L, 1L, 3L, 2L, 2L), 12)
  frame
})
