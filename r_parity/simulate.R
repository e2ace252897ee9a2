# Data sets made for one point of the grammar each; `Rscript r_parity/lmm.R` writes them to
# r_parity/data. Values are rounded so that the CSV files stay small.

seeded <- function(seed) {
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
}
pick <- function(n, levels, labels, prob = NULL) {
  factor(labels[sample.int(levels, n, TRUE, prob)], levels = labels)
}

simulated <- list()

# The general set: two crossed factors, numeric, unordered and ordered covariates, weights, offset.
simulated$mixed <- local({
  seeded(11)
  n <- 400
  g <- pick(n, 24, sprintf("g%02d", 1:24))
  h <- pick(n, 11, sprintf("h%02d", 1:11))
  x <- round(rnorm(n), 3)
  z <- round(runif(n, 0, 4), 3)
  f <- pick(n, 3, c("a", "b", "c"), c(.5, .3, .2))
  o <- factor(sample(c("low", "mid", "high", "top"), n, TRUE), c("low", "mid", "high", "top"),
              ordered = TRUE)
  flag <- runif(n) < .4
  off <- round(rnorm(n), 3)
  w <- round(rgamma(n, 2, 2) + .2, 3)
  bg <- matrix(rnorm(24 * 2), 24) %*% chol(matrix(c(1, .3, .3, .5), 2))
  bf <- matrix(rnorm(24 * 3, sd = .5), 24)
  mean <- 4 + .7 * x - .2 * x^2 + .4 * z + c(0, .5, -.4)[f] + .3 * as.integer(o) + .2 * flag +
    bg[g, 1] + bg[g, 2] * x + bf[cbind(g, f)] + rnorm(11, sd = .6)[h] + off +
    rnorm(24 * 11, sd = .4)[as.integer(g) + 24 * (as.integer(h) - 1)]
  y <- round(mean + rnorm(n) / sqrt(w), 4)
  data.frame(g, h, x, z, f, o, flag, off, w, y, ypos = round(exp(y / 4), 4),
             `my x` = round(x + rnorm(n), 3), `odd.name` = round(rnorm(n), 3), check.names = FALSE)
})

simulated$nested <- local({
  seeded(12)
  sizes <- expand.grid(pupil = 1:4, class = 1:3, school = 1:5, region = 1:7)
  sizes <- sizes[sort(sample(nrow(sizes), 360)), ]
  region <- factor(paste0("r", sizes$region))
  school <- factor(sizes$school)  # 1 … 5 anew in each region
  class <- factor(letters[sizes$class])
  x <- round(rnorm(360), 3)
  s <- as.integer(region) + 7 * (sizes$school - 1)
  c <- s + 35 * (sizes$class - 1)
  y <- 10 + .5 * x + rnorm(7, sd = .8)[region] + rnorm(35, sd = .7)[s] + rnorm(35, sd = .4)[s] * x +
    rnorm(105, sd = .6)[c] + rnorm(360)
  data.frame(region, school, class, x, y = round(y, 4))
})

simulated$three <- local({
  seeded(13)
  n <- 600
  a <- pick(n, 22, sprintf("a%02d", 1:22))
  b <- pick(n, 13, sprintf("b%02d", 1:13))
  c <- pick(n, 7, sprintf("c%d", 1:7))
  x <- round(rnorm(n), 3)
  y <- 1 + x + rnorm(22)[a] + rnorm(13, sd = .7)[b] + rnorm(7, sd = .5)[c] + rnorm(n)
  data.frame(a, b, c, x, y = round(y, 4))
})

# Two terms with as many levels: ties in the order of terms.
simulated$ties <- local({
  seeded(14)
  n <- 240
  a <- pick(n, 6, paste0("a", 1:6))
  b <- pick(n, 6, paste0("b", 1:6))
  c <- pick(n, 12, sprintf("c%02d", 1:12))
  x <- round(rnorm(n), 3)
  y <- rnorm(6)[a] + rnorm(6, sd = 2)[b] + rnorm(12, sd = .6)[c] + .4 * x + rnorm(n)
  data.frame(a, b, c, x, y = round(y, 4))
})

simulated$rank <- local({
  seeded(15)
  n <- 150
  g <- pick(n, 15, sprintf("g%02d", 1:15))
  x1 <- round(rnorm(n), 3)
  x2 <- round(rnorm(n), 3)
  f <- pick(n, 3, c("a", "b", "c"))
  k <- pick(n, 2, c("u", "v"))
  keep <- !(f == "c" & k == "v")  # an empty cell
  y <- 2 + x1 - x2 + rnorm(15)[g] + rnorm(n)
  data.frame(g, x1, x2, total = x1 + x2, f, k, y = round(y, 4))[keep, ]
})

simulated$missing <- local({
  seeded(16)
  n <- 180
  g <- pick(n, 16, sprintf("g%02d", 1:16))
  h <- pick(n, 5, paste0("h", 1:5))
  x <- round(rnorm(n), 3)
  f <- pick(n, 3, c("a", "b", "never"), c(.5, .5, 0))  # a level that does not occur
  y <- round(3 + x + rnorm(16)[g] + .5 * (f == "b") + rnorm(5, sd = .5)[h] + rnorm(n), 4)
  x[c(4, 40, 41)] <- NA
  y[c(9, 41, 100, 170)] <- NA
  f[c(60, 61)] <- NA
  g[g == "g03"] <- NA  # a group that goes altogether
  h[77] <- NA
  data.frame(g, h, x, f, y)
})

simulated$scales <- local({
  seeded(17)
  n <- 300
  g <- pick(n, 20, sprintf("g%02d", 1:20))
  x <- round(rnorm(n), 3)
  z <- round(rnorm(n), 3)
  y <- round(1 + x + .5 * z + rnorm(20)[g] + rnorm(20, sd = .5)[g] * x + rnorm(n), 4)
  data.frame(g, x, z, big = z * 1e6, small = z * 1e-6, y, shifted = y + 1e6)
})

simulated$singletons <- local({
  seeded(18)
  groups <- c(1:95, rep(96:110, 4))
  n <- length(groups)
  g <- factor(sprintf("g%03d", groups))
  x <- round(rnorm(n), 3)
  data.frame(g, x, y = round(2 + .6 * x + rnorm(110, sd = 1.2)[groups] + rnorm(n, sd = .8), 4))
})

simulated$labels <- local({
  seeded(19)
  n <- 240
  words <- c("Ångström", "straße", "日本", "naïve", "a b", "z:1", "Ωmega", "éclair", "O'Neil",
             "x,y", "10", "9")
  int <- sample(c(1L, 2L, 10L, 30L, 100L, 7L), n, TRUE)
  word <- sample(words, n, TRUE)
  flag <- runif(n) < .5
  number <- sample(c(.5, 1.5, 2, 10, 33), n, TRUE)
  x <- round(rnorm(n), 3)
  y <- x + rnorm(6)[match(int, unique(int))] + rnorm(12)[match(word, words)] + .8 * flag +
    rnorm(5)[match(number, unique(number))] + rnorm(n)
  data.frame(int, word, flag, number, x, y = round(y, 4), stringsAsFactors = FALSE)
})

# Slopes exactly proportional to intercepts: the estimated correlation is -1 with x, 1 with down.
simulated$collinear <- local({
  seeded(20)
  g <- factor(rep(sprintf("g%02d", 1:16), each = 8))
  x <- rep(0:7, 16)
  u <- rnorm(16)
  y <- 5 + .5 * x + 2 * u[g] - .3 * u[g] * x + rnorm(128, sd = 1.5)
  data.frame(g, x, down = -x, y = round(y, 4))
})

# Group means of h made equal: no variance is left for it, while g keeps its own.
simulated$balanced_out <- local({
  seeded(21)
  frame <- expand.grid(r = 1:3, h = factor(paste0("h", 1:8)), g = factor(sprintf("g%02d", 1:10)))
  n <- nrow(frame)
  e <- rnorm(n)
  e <- e - ave(e, frame$h)
  x <- round(rnorm(n), 3)
  data.frame(frame[c("g", "h")], x, y = round(rnorm(10)[frame$g] + e + .3 * x, 4))
})

# 2,000 x 500 levels, 20,000 rows, very unbalanced on both sides.
simulated$crossed <- local({
  seeded(22)
  n <- 20000
  s <- c(1:2000, sample.int(2000, n - 2000, TRUE, prob = 1 / (1:2000 + 20)))
  d <- sample.int(500, n, TRUE, prob = 1 / (1:500 + 5))
  d[sample.int(n, 500)] <- 1:500
  x <- round(rnorm(n), 2)
  y <- 3 + .2 * x + rnorm(2000, sd = .6)[s] + rnorm(500, sd = .9)[d] + rnorm(n, sd = 1.1)
  data.frame(s = factor(s), d = factor(d), x, y = round(y, 3))
})

write_simulated <- function(folder) {
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  metadata <- list()
  for (name in names(simulated)) {
    frame <- simulated[[name]]
    file <- paste0(name, if (nrow(frame) > 5000) ".csv.gz" else ".csv")
    write_data(frame, file.path(folder, file))
    metadata[[name]] <- list(file = file, rows = nrow(frame), columns = column_metadata(frame))
  }
  write_lines_json(metadata, file.path(folder, "metadata.json"))
}
