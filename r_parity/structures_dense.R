# Structures that glmmTMB 1.1.5 has not, by dense algebra: V = sum of Z S Z' over terms + sigma^2 I with the
# coefficients profiled out (ML) or integrated out (REML); of counts by glmm.cpp, with Z times the root of a known
# matrix. A term has the covariance S of the effects of a group by its natural parameters, and `known`, the
# covariance between groups.

denses <- list()
dense <- function(id, data, left, terms, python, family = "gaussian", ...) {
  stopifnot(is.null(denses[[id]]), is.null(structures[[id]]))
  denses[[id]] <<- c(list(id = id, data = data, formula = left, terms = terms, python = python, family = family,
                          link = DEFAULT_LINKS[[family]], system = if (family == "gaussian") "dense" else "TMB"), list(...))
}
own_term <- function(group, structure, column = NULL, known = NULL)
  list(group = group, structure = structure, column = column, known = known)

HETAR <- list(own_term("g", "hetar1", "time"))
dense("series_hetar1", "sim:series", "spread ~ x", HETAR, "spread ~ x + hetar1(0 + time | g)", sigma = .3)
dense("orthodont_hetar1", "Orthodont", "distance ~ age * Sex", list(own_term("Subject", "hetar1", "age")),
      "distance ~ age * Sex + hetar1(0 + factor(age) | Subject)", sigma = 0, disp = "~ 0")
# glmmTMB 1.1.5 has no derivatives of Matern's correlation at distance 0
dense("places_mat", "sim:places", "y ~ x", list(own_term("all", "mat", c("px", "py"))),
      "y ~ x + mat(0 + px + py | all)")
PEDIGREE <- own_term("animal", "scalar", known = "relationship")
HERD <- own_term("herd", "scalar")
dense("animals_ml", "sim:animals", "y ~ x", list(PEDIGREE), "y ~ x + (1 | animal, cov=A)", known = "animal")
dense("animals_reml", "sim:animals", "y ~ x", list(PEDIGREE, HERD), "y ~ x + (1 | animal, cov=A) + (1 | herd)",
      known = "animal", reml = TRUE)
dense("animals_permanent_reml", "sim:animals", "y ~ x + herd", list(PEDIGREE, own_term("animal", "scalar")),
      "y ~ x + herd + (1 | animal, cov=A) + (1 | animal)", known = "animal", reml = TRUE)
dense("animals_poisson", "sim:animals", "count ~ x", list(PEDIGREE), "count ~ x + (1 | animal, cov=A)", "poisson",
      known = "animal")
dense("animals_herd_poisson", "sim:animals", "count ~ x", list(PEDIGREE, HERD),
      "count ~ x + (1 | animal, cov=A) + (1 | herd)", "poisson", known = "animal")

known_matrix <- function(data) {
  one <- data[!duplicated(data$animal), ]
  one <- one[order(as.integer(one$animal)), ]
  relationship(one$sire, one$dam)
}

# Columns of Z by group, then effect; covariance of all at x, and natural parameters.
dense_term <- function(t, data) {
  g <- factor(data[[t$group]])
  G <- nlevels(g)
  K <- if (is.null(t$known)) diag(G) else known_matrix(data)
  n <- nrow(data)
  at <- function(e, k) { Z <- matrix(0, n, G * k); Z[cbind(seq_len(n), (as.integer(g) - 1) * k + e)] <- 1; Z }
  if (t$structure == "scalar")
    return(list(Z = at(1, 1), k = 1, start = log(.5), effects = "(Intercept)", levels = levels(g), K = K,
                one = function(x) matrix(exp(2 * x)), natural = function(x) list(sd = exp(x))))
  if (t$structure == "us") {
    Z <- matrix(0, n, 2 * G)
    Z[cbind(seq_len(n), 2 * as.integer(g) - 1)] <- 1
    Z[cbind(seq_len(n), 2 * as.integer(g))] <- data[[t$column]]
    return(list(Z = Z, k = 2, start = c(-.5, -1, 0), effects = c("(Intercept)", t$column), levels = levels(g), K = K,
                one = function(x) outer(exp(x[1:2]), exp(x[1:2])) * matrix(c(1, tanh(x[3]), tanh(x[3]), 1), 2),
                natural = function(x) list(sd = exp(x[1:2]), correlation = tanh(x[3]))))
  }
  if (t$structure == "mat") {
    places <- unique(data[t$column])
    own <- match(do.call(paste, data[t$column]), do.call(paste, places))
    d <- unname(as.matrix(dist(places)))
    matern <- function(range, s) ifelse(d == 0, 1, 2^(1 - s) / gamma(s) * (d / range)^s * besselK(d / range, s))
    return(list(Z = at(own, nrow(places)), k = nrow(places), start = c(0, 0, 0), effects = do.call(paste, places),
                levels = levels(g), K = K, one = function(x) exp(2 * x[1]) * matern(exp(x[2]), exp(x[3])),
                natural = function(x) list(sd = exp(x[1]), range = exp(x[2]), smoothness = exp(x[3]))))
  }
  e <- factor(data[[t$column]])
  k <- nlevels(e)
  apart <- abs(outer(seq_len(k), seq_len(k), "-"))
  list(Z = at(as.integer(e), k), k = k, start = c(rep(0, k), .5), effects = paste0(t$column, levels(e)), levels = levels(g), K = K,
       one = function(x) outer(exp(x[1:k]), exp(x[1:k])) * tanh(x[k + 1])^apart,
       natural = function(x) list(sd = exp(x[1:k]), correlation = tanh(x[k + 1])))
}

dense_record <- function(m, data) {
  data <- as.data.frame(data)
  frame <- model.frame(as.formula(m$formula), data)
  X <- model.matrix(as.formula(m$formula), frame)
  y <- model.response(frame)
  n <- length(y)
  # Z S Z' = covariances between the groups of two rows times those of their effects
  terms <- lapply(m$terms, function(spec) {
    t <- dense_term(spec, data)
    g <- as.integer(factor(data[[spec$group]]))
    c(t, list(apart = t$K[g, g], W = t$Z %*% kronecker(matrix(1, nrow(t$K), 1), diag(t$k))))
  })
  sizes <- vapply(terms, function(t) length(t$start), 0)
  where <- split(seq_len(sum(sizes)), rep(seq_along(sizes), sizes))
  free <- !identical(m$sigma, 0)
  full <- function(t, x) kronecker(t$K, t$one(x))
  state <- function(par) {
    V <- diag(if (free) exp(2 * par[length(par)]) else 0, n)
    for (i in seq_along(terms)) V <- V + terms[[i]]$apart * (terms[[i]]$W %*% terms[[i]]$one(par[where[[i]]]) %*% t(terms[[i]]$W))
    root <- chol(V)
    Xw <- backsolve(root, X, transpose = TRUE)
    yw <- backsolve(root, y, transpose = TRUE)
    beta <- solve(crossprod(Xw), crossprod(Xw, yw))
    e <- yw - Xw %*% beta
    df <- if (isTRUE(m$reml)) n - ncol(X) else n
    ll <- -.5 * (df * log(2 * pi) + sum(e^2) + 2 * sum(log(diag(root))) +
                   if (isTRUE(m$reml)) as.numeric(determinant(crossprod(Xw))$modulus) else 0)
    list(ll = ll, beta = as.vector(beta), vcov = solve(crossprod(Xw)), root = root, e = as.vector(e))
  }
  fn <- function(par) { v <- tryCatch(-state(par)$ll, error = function(e) NA); if (is.finite(v)) v else 1e10 }
  gr <- function(par) numDeriv::grad(fn, par)
  spread <- log(sd(y))
  start <- c(unlist(lapply(terms, function(t) t$start + spread * (seq_along(t$start) <= length(t$natural(t$start)$sd)))),
             if (free) spread - 1)
  from <- function(par) nlminb(par, fn, gr, control = list(rel.tol = 1e-14, eval.max = 1000, iter.max = 500))
  first <- from(start)
  set.seed(1)
  second <- from(first$par + .3 * rnorm(length(start)))
  par <- if (second$objective < first$objective) second$par else first$par
  H <- numDeriv::hessian(fn, par)
  for (j in 1:4) par <- par - solve(H, gr(par))
  H <- numDeriv::hessian(fn, par)
  V <- solve(H)
  s <- state(par)
  natural <- lapply(seq_along(terms), function(i) {
    own <- where[[i]]
    values <- terms[[i]]$natural(par[own])
    c(list(structure = m$terms[[i]]$structure), sapply(names(values), function(key) {
      J <- numDeriv::jacobian(function(x) terms[[i]]$natural(x)[[key]], par[own])
      list(values = I(values[[key]]), se = I(sqrt(diag(J %*% V[own, own] %*% t(J)))))
    }, simplify = FALSE))
  })
  back <- backsolve(s$root, s$e)
  fitted <- as.vector(X %*% s$beta)
  records <- lapply(seq_along(terms), function(i) {
    t <- terms[[i]]
    S <- full(t, par[where[[i]]])
    b <- as.vector(S %*% crossprod(t$Z, back))
    fitted <<- fitted + as.vector(t$Z %*% b)
    ZS <- backsolve(s$root, t$Z %*% S, transpose = TRUE)
    one <- t$one(par[where[[i]]])
    fewer_effects(term_record(m$terms[[i]]$group, t$effects, t$levels, b, sqrt(pmax(0, diag(S) - colSums(ZS^2))),
                              sqrt(diag(one)), unname(cov2cor(one)), full = 24, first = 12))
  })
  list(log_likelihood = s$ll, df = length(par) + ncol(X), nobs = n, gradient = max(abs(gr(par))),
       scaled_gradient = scaled_gradient(H, gr(par)), converged = max(abs(gr(par))) < 1e-6,
       restart_spread = abs(first$objective - second$objective),
       components = list(cond = list(names = I(colnames(X)), values = I(s$beta), se = I(sqrt(diag(s$vcov))),
                                     vcov = unname(s$vcov), x_probe = I(unname(colSums(X * cos(seq_len(n))))))),
       sigma = if (free) exp(par[length(par)]), sigma_se = if (free) exp(par[length(par)]) * sqrt(V[length(par), length(par)]),
       terms = records, natural = natural, predictions = list(response = several_by_row(fitted)),
       matrix = if (!is.null(m$known)) known_matrix(data))
}

known_record <- function(m, data) {
  K <- known_matrix(data)
  text <- paste(m$formula, "+", paste(vapply(m$terms, function(t) sprintf("(1 | %s)", t$group), ""), collapse = " + "))
  p <- problem_of(list(formula = text, family = list(name = m$family, link = m$link)), data)
  cnms <- names(p$shell@cnms)
  Gp <- p$shell@Gp
  blocks <- lapply(seq_along(cnms), function(t)
    if (cnms[t] == "animal") t(chol(K)) else diag(Gp[t + 1] - Gp[t]))
  L <- as.matrix(bdiag(blocks))
  p$Z <- as(p$Z %*% L, "dgCMatrix")
  found <- tight_tmb(p)
  V <- solve(found$hessian)
  k <- length(p$theta)
  sd <- abs(found$theta)
  scale <- L * rep(sd[rep(seq_along(cnms), diff(Gp))], each = nrow(L))
  b <- as.vector(scale %*% (sign(found$theta)[rep(seq_along(cnms), diff(Gp))] * found$u))
  inner <- chol2inv(chol(as.matrix(found$obj$env$spHess(found$obj$env$last.par, random = TRUE))))
  sds <- sqrt(rowSums((scale %*% inner) * scale))
  order <- match(vapply(m$terms, `[[`, "", "group"), cnms)
  records <- lapply(order, function(t) {
    rows <- seq(Gp[t] + 1, Gp[t + 1])
    term_record(cnms[t], "(Intercept)", levels(p$shell@flist[[cnms[t]]]), b[rows], sds[rows], sd[t], matrix(1), 24, 12)
  })
  beta <- k + seq_len(ncol(p$X))
  list(log_likelihood = found$log_likelihood, df = length(found$par), nobs = nrow(p$X),
       gradient = max(abs(found$obj$gr(found$par))), scaled_gradient = found$gradient, converged = found$gradient < 1e-6,
       restart_spread = found$restart_spread,
       components = list(cond = list(names = I(colnames(p$X)), values = I(found$par[beta]), se = I(sqrt(diag(V)[beta])),
                                     x_probe = I(unname(colSums(p$X * cos(seq_len(nrow(p$X)))))))),
       terms = records, natural = lapply(order, function(t) list(structure = "scalar", sd = list(
         values = I(sd[t]), se = I(sqrt(diag(V)[t]))))), matrix = K)
}
