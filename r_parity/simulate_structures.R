# Data sets made for ordered responses and covariance structures; `Rscript r_parity/lmm.R` writes them to
# r_parity/data with those of simulate.R.

# Additive relationships of animals numbered so that parents come first; 0 is an unknown parent.
relationship <- function(sire, dam) {
  n <- length(sire)
  A <- diag(n)
  of <- function(parent, j) if (parent) A[parent, j] else 0
  for (i in seq_len(n)) {
    for (j in seq_len(i - 1)) A[i, j] <- A[j, i] <- .5 * (of(sire[i], j) + of(dam[i], j))
    A[i, i] <- 1 + .5 * (if (sire[i] && dam[i]) A[sire[i], dam[i]] else 0)
  }
  A
}

# Five ordered categories on two crossed factors, with a slope, a scale and an effect that is not proportional.
simulated$ordered <- local({
  seeded(61)
  n <- 480
  g <- pick(n, 24, sprintf("g%02d", 1:24))
  h <- pick(n, 12, sprintf("h%02d", 1:12))
  x <- round(rnorm(n), 3)
  f <- pick(n, 3, c("a", "b", "c"), c(.4, .35, .25))
  off <- round(rnorm(n, sd = .4), 3)
  w <- sample(c(.5, 1, 2), n, TRUE)
  eta <- .7 * x + c(0, .5, -.4)[f] + rnorm(24, sd = .8)[g] + rnorm(24, sd = .5)[g] * x + rnorm(12, sd = .5)[h] + off
  latent <- eta + exp(c(0, .3, -.2)[f]) * rlogis(n)
  level <- function(cuts) factor(c("none", "little", "some", "much", "all")[1 + findInterval(latent, cuts)],
                                 c("none", "little", "some", "much", "all"), ordered = TRUE)
  data.frame(g, h, x, f, off, w, y = level(c(-2, -.7, .6, 2.2)))
})

# Series of 12 groups at 15 times, with gaps: an autoregression by number, `time`, and one by `at`, uneven.
simulated$series <- local({
  seeded(62)
  groups <- 12
  times <- 15
  g <- rep(seq_len(groups), each = times)
  time <- rep(seq_len(times), groups)
  at <- round(as.vector(replicate(groups, cumsum(runif(times, .2, 1.8)))), 2)
  x <- round(rnorm(length(g)), 3)
  path <- function(rho, sd) as.vector(replicate(groups, {
    b <- rnorm(1)
    for (t in 2:times) b[t] <- rho * b[t - 1] + sqrt(1 - rho^2) * rnorm(1)
    sd * b
  }))
  ou <- as.vector(vapply(seq_len(groups), function(i) {
    own <- at[g == i]
    b <- rnorm(1)
    for (t in 2:times) { rho <- exp(-.4 * (own[t] - own[t - 1])); b[t] <- rho * b[t - 1] + sqrt(1 - rho^2) * rnorm(1) }
    b
  }, numeric(times)))
  b <- path(.8, 1)
  steep <- path(.7, 1) * (.4 + .15 * time)
  n <- length(g)
  data <- data.frame(
    g = factor(sprintf("g%02d", g)), time, at, x,
    y = round(1 + .5 * x + b + rnorm(n, sd = .5), 4), drift = round(2 - .4 * x + ou + rnorm(n, sd = .4), 4),
    spread = round(1 + .3 * x + steep + rnorm(n, sd = .3), 4),
    count = rpois(n, exp(.8 + .3 * x + .7 * b)), k = rpois(n, exp(.9 + .3 * x + .6 * ou)),
    yes = rbinom(n, 1, plogis(.2 + .6 * x + 1.6 * b)),
    nb = rnbinom(n, 1.5, mu = exp(1.5 + .3 * x + b)), z = ifelse(runif(n) < .2, 0L, rpois(n, exp(1.2 + .3 * x + .6 * b))))
  data[-c(7, 33, 34, 90, 151), ]
})

# Three observations at each of 40 places on a plane.
simulated$places <- local({
  seeded(63)
  px <- round(runif(40, 0, 10), 2)
  py <- round(runif(40, 0, 10), 2)
  d <- as.matrix(dist(cbind(px, py)))
  field <- function(R) as.vector(t(chol(R + diag(1e-8, 40))) %*% rnorm(40))
  rough <- field(exp(-d / 2.5))
  smooth <- field(exp(-(d / 2.5)^2))
  i <- rep(1:40, each = 3)
  x <- round(rnorm(120), 3)
  data.frame(px = px[i], py = py[i], all = factor("all"), x, y = round(1 + .5 * x + rough[i] + rnorm(120, sd = .4), 4),
             v = round(2 - .3 * x + 1.2 * smooth[i] + rnorm(120, sd = .3), 4),
             count = rpois(120, exp(1 + .3 * x + .8 * rough[i])))
})

# Counts of six species at 60 sites, of two latent factors.
simulated$species <- local({
  seeded(64)
  load <- cbind(c(1, .6, -.4, .8, 0, -.7), c(0, .7, .8, -.3, 1, .2))
  latent <- matrix(rnorm(120), 60)
  b <- latent %*% t(load)
  site <- rep(sprintf("s%02d", 1:60), each = 6)
  species <- rep(letters[1:6], 60)
  x <- round(rep(rnorm(60), each = 6), 3)
  eta <- c(.8, 1.2, .5, 1, .2, .9)[rep(1:6, 60)] + .3 * x + as.vector(t(b))
  data.frame(site = factor(site), species = factor(species), x, count = rpois(360, exp(eta)),
             y = round(eta + rnorm(360, sd = .4), 4))
})

# Five generations of animals: parents by number, 0 if unknown, with two records of most.
simulated$animals <- local({
  seeded(65)
  n <- 60
  sire <- dam <- integer(n)
  for (i in 13:n) {
    before <- seq(max(1, i - 24), i - 6)
    sire[i] <- sample(before[before %% 2 == 0], 1)
    dam[i] <- sample(before[before %% 2 == 1], 1)
  }
  A <- relationship(sire, dam)
  a <- as.vector(t(chol(A)) %*% rnorm(n))
  i <- c(seq_len(n), sample(n, 60, TRUE))
  herd <- sample(1:6, length(i), TRUE)
  x <- round(rnorm(length(i)), 3)
  eta <- .5 * x + a[i] + rnorm(6, sd = .5)[herd]
  data.frame(animal = factor(sprintf("a%02d", i), sprintf("a%02d", seq_len(n))), sire = sire[i], dam = dam[i],
             herd = factor(paste0("h", herd)), x, y = round(3 + eta + rnorm(length(i), sd = .8), 4),
             count = rpois(length(i), exp(.7 + .6 * eta)))
})
