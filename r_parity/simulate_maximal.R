# A "maximal" model: 60 subjects x 40 items x 8 replicates, an intercept and seven slopes that all
# vary, with correlations, over both subjects and items:
#   y ~ x1 + … + x7 + (1 + x1 + … + x7 | subj) + (1 + x1 + … + x7 | item)
# Both true covariances have full rank and SDs of 0.25 to 1 residual SD, so the fit is not
# singular. 72 covariance parameters: too many for the reference programs to fit in reasonable
# time, hence data only.

# Correlated effects: one row per level, SDs `sd`, correlations of a random rotation.
correlated_effects <- function(levels, sd) {
  k <- length(sd)
  loading <- qr.Q(qr(matrix(rnorm(k * k), k)))
  correlation <- cov2cor(loading %*% diag(seq(0.4, 1.6, length.out = k)) %*% t(loading))
  matrix(rnorm(levels * k), levels) %*% chol(correlation) %*% diag(sd)
}

simulate_maximal <- function() {
  set.seed(20260, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  frame <- expand.grid(replicate = 1:8, item = 1:40, subj = 1:60)
  n <- nrow(frame)
  x <- matrix(round(rnorm(n * 7), 4), n, dimnames = list(NULL, paste0("x", 1:7)))
  X <- cbind(1, x)
  beta <- c(2, 0.5, -0.3, 0.8, 0, 0.2, -0.6, 0.1)
  by_subj <- correlated_effects(60, c(1, 0.5, 0.4, 0.6, 0.3, 0.35, 0.25, 0.45))
  by_item <- correlated_effects(40, c(0.8, 0.3, 0.5, 0.25, 0.4, 0.3, 0.45, 0.35))
  mean <- drop(X %*% beta) + rowSums(X * by_subj[frame$subj, ]) + rowSums(X * by_item[frame$item, ])
  data.frame(subj = factor(sprintf("s%02d", frame$subj)), item = factor(sprintf("i%02d", frame$item)),
             x, y = round(mean + rnorm(n), 6))
}
