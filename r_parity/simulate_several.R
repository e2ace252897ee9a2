# Data sets made for models with several linear predictors; `Rscript r_parity/lmm.R` writes them to
# r_parity/data with those of simulate.R.

# Counts on two crossed factors: too many zeros, none, more and less spread than Poisson's.
simulated$inflated <- local({
  seeded(41)
  n <- 400
  g <- pick(n, 20, sprintf("g%02d", 1:20))
  h <- pick(n, 10, sprintf("h%02d", 1:10))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  f <- pick(n, 3, c("a", "b", "c"), c(.4, .35, .25))
  off <- round(rnorm(n, sd = .4), 3)
  w <- sample(c(.5, 1, 2), n, TRUE)
  bg <- rnorm(20, sd = .5)[g]
  slope <- rnorm(20, sd = .4)[g] * x
  bh <- rnorm(10, sd = .4)[h]
  cg <- rnorm(20, sd = .9)[g]  # of the zeros
  cslope <- rnorm(20, sd = .8)[g] * x
  ch <- rnorm(10, sd = .7)[h]
  mu <- exp(.9 + .4 * x + c(0, .3, -.4)[f] + bg + slope + bh)
  zero <- runif(n) < plogis(-1.1 + .6 * z - .5 * x + cg + cslope + ch)
  above <- function(draw) {  # redrawn until positive
    y <- draw(mu)
    while (any(y == 0)) y <- ifelse(y > 0, y, draw(mu))
    as.integer(y)
  }
  poisson <- rpois(n, mu)
  nb1 <- rnbinom(n, mu / exp(-.2 + .5 * z), mu = mu)
  nb2 <- rnbinom(n, exp(.3 + .6 * z), mu = mu)
  positive <- above(function(mu) rpois(n, mu))
  positive1 <- above(function(mu) rnbinom(n, mu / 1.2, mu = mu))
  positive2 <- above(function(mu) rnbinom(n, 2.5, mu = mu))
  under <- rbinom(n, pmax(1, round(2.5 * mu)), .4)
  m <- sample(4:10, n, TRUE)
  k <- rbinom(n, m, plogis(.3 + .5 * x + bg + bh))
  half <- ifelse(runif(n) < .3, 0L, 1L)
  data.frame(g, h, x, z, f, off, w, poisson, nb1, nb2, positive, positive1, positive2, under,
             zip = ifelse(zero, 0L, rpois(n, mu * exp(off))), zinb1 = ifelse(zero, 0L, nb1),
             zinb2 = ifelse(zero, 0L, nb2), hurdle = ifelse(zero, 0L, positive),
             hurdle1 = ifelse(zero, 0L, positive1), hurdle2 = ifelse(zero, 0L, positive2),
             zunder = ifelse(zero, 0L, under), m, k, zk = k * half)
})

# Counts with less spread than Poisson's, and with more: few and small, for slow families.
simulated$even <- local({
  seeded(45)
  n <- 150
  g <- pick(n, 12, sprintf("g%02d", 1:12))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  mu <- exp(1.1 + .3 * x + rnorm(12, sd = .35)[g] + rnorm(12, sd = .25)[g] * x)
  y <- rbinom(n, pmax(1, round(2.5 * mu)), .4)
  zero <- runif(n) < plogis(-1.4 + .5 * z)
  data.frame(g, x, z, y, over = rnbinom(n, 3, mu = mu), zeros = ifelse(zero, 0L, y), positive = pmax(1L, y),
             hurdle = ifelse(zero, 0L, pmax(1L, y)))
})

# Shares inside (0, 1), with zeros, with both ends, and of m trials.
simulated$shares <- local({
  seeded(42)
  n <- 300
  g <- pick(n, 18, sprintf("g%02d", 1:18))
  h <- pick(n, 9, sprintf("h%d", 1:9))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  f <- pick(n, 2, c("a", "b"))
  w <- sample(c(.5, 1, 2), n, TRUE)
  bg <- rnorm(18, sd = .5)[g]
  bh <- rnorm(9, sd = .4)[h]
  slope <- rnorm(18, sd = .3)[g] * x
  eta <- -.2 + .5 * x + .4 * (f == "b") + bg + bh + slope
  phi <- exp(1.6 + .5 * z)
  y <- round(pmin(pmax(rbeta(n, plogis(eta) * phi, plogis(-eta) * phi), .002), .998), 4)
  zero <- runif(n) < plogis(-1.4 + .7 * z + rnorm(18, sd = .8)[g])
  one <- runif(n) < plogis(-1.6 + .5 * x)
  latent <- runif(n)
  ends <- ifelse(latent < plogis(-1.8 - eta), 0, ifelse(latent > 1 - plogis(eta - 2), 1, y))
  m <- sample(5:15, n, TRUE)
  q <- rbeta(n, plogis(eta) * 4 * (1 + z), plogis(-eta) * 4 * (1 + z))
  data.frame(g, h, x, z, f, w, y, y0 = ifelse(zero, 0, y), y01 = ifelse(zero, 0, ifelse(one, 1, y)),
             ends, m, k = rbinom(n, m, q))
})

# Positive amounts, with and without zeros.
simulated$amounts <- local({
  seeded(43)
  n <- 320
  g <- pick(n, 20, sprintf("g%02d", 1:20))
  h <- pick(n, 8, sprintf("h%d", 1:8))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  f <- pick(n, 2, c("a", "b"))
  off <- round(rnorm(n, sd = .3), 3)
  w <- sample(c(.5, 1, 2), n, TRUE)
  mu <- exp(.8 + .3 * x + .4 * (f == "b") + rnorm(20, sd = .4)[g] + rnorm(8, sd = .3)[h] +
              rnorm(20, sd = .3)[g] * x)
  shape <- exp(.6 + .7 * z)
  wait <- round(rgamma(n, shape, scale = mu / shape) + .001, 4)
  zero <- runif(n) < plogis(-1 + .6 * z + rnorm(20, sd = .8)[g])
  # Tweedie with power 1.5: a Poisson number of Gamma amounts
  phi <- exp(-.2 + .3 * z)
  number <- rpois(n, mu^.5 / (phi * .5))
  rain <- round(vapply(seq_len(n), function(i) sum(rgamma(number[i], 1, scale = phi[i] * .5 * mu[i]^.5)), 0), 4)
  lognormal <- round(exp(log(mu) + rnorm(n, sd = exp(-.8 + .3 * z))), 4)
  level <- round(12 + 2 * x + 3 * (f == "b") + rnorm(20, sd = 1.5)[g] + rgamma(n, 8, 4), 4)
  data.frame(g, h, x, z, f, off, w, wait, wait0 = ifelse(zero, 0, wait), rain, lognormal,
             lognormal0 = ifelse(zero, 0, lognormal), level)
})

# Real responses: a spread that depends on covariates, heavy tails, skewness.
simulated$errors <- local({
  seeded(44)
  n <- 360
  g <- pick(n, 20, sprintf("g%02d", 1:20))
  h <- pick(n, 10, sprintf("h%02d", 1:10))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  f <- pick(n, 3, c("a", "b", "c"), c(.4, .35, .25))
  w <- sample(c(.5, 1, 2), n, TRUE)
  mean <- 3 + .8 * x + c(0, .6, -.5)[f] + rnorm(20, sd = .7)[g] + rnorm(20, sd = .5)[g] * x +
    rnorm(10, sd = .5)[h]
  spread <- exp(-.6 + .6 * z + c(0, .3, -.2)[f])
  u <- abs(rnorm(n)) - sqrt(2 / pi)
  data.frame(g, h, x, z, f, w, y = round(mean + spread * rnorm(n), 4),
             heavy = round(mean + .6 * exp(.3 * z) * rt(n, 4), 4),
             skewed = round(mean + exp(.2 * z) * (1.4 * u + .4 * rnorm(n)), 4),
             positive = round(exp(.4 * mean) + spread * rnorm(n), 4))
})

# Reaction times of lme4's sleepstudy as shares of their range; each ninth of the second column is 0.
simulated$sleep_share <- local({
  r <- (lme4::sleepstudy$Reaction - 150) / 350
  data.frame(Subject = lme4::sleepstudy$Subject, Days = lme4::sleepstudy$Days, r,
             r0 = ifelse(seq_along(r) %% 9 == 1, 0, r))
})

# Groups that differ in spread too, and families with few parameters.
simulated$spreads <- local({
  seeded(46)
  n <- 400
  g <- pick(n, 20, sprintf("g%02d", 1:20))
  h <- pick(n, 10, sprintf("h%02d", 1:10))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 2), 3)
  bg <- rnorm(20, sd = .5)[g]
  bh <- rnorm(10, sd = .4)[h]
  dg <- rnorm(20, sd = .6)[g]
  eta <- .6 + .5 * x + bg + bh
  spread <- -.4 + .4 * z + dg
  zero <- runif(n) < plogis(-1.2 + .5 * z + rnorm(10, sd = .8)[h])
  count <- rnbinom(n, exp(.9 - spread), mu = exp(eta))
  phi <- exp(1.6 - spread)
  frame <- data.frame(g, h, x, z, y = round(eta + exp(spread) * rnorm(n), 4), count, zeros = ifelse(zero, 0L, count),
             share = round(pmin(pmax(rbeta(n, plogis(eta) * phi, plogis(-eta) * phi), .002), .998), 4),
             wait = round(rgamma(n, phi, scale = exp(eta) / phi) + .001, 4))
  frame$wait0 <- ifelse(zero, 0, frame$wait)
  frame$both <- rnbinom(n, exp(eta + .6) / (exp(-.6 + .7 * z) + exp(eta + .6) / 2), mu = exp(eta + .6))
  frame
})
