# Fits that glmmTMB 1.1.5 does not make: the joint density of several.cpp on glmmTMB's design.

OWN_FAMILIES <- c("gaussian", "nbinom2", "beta_family", "Gamma", "lognormal", "skewnormal", "bell", "nbinom12",
                  "inverse_gaussian")
OWN_LINKS <- c("identity", "log", "logit")
NO_DISPERSION <- "bell"

load_several <- function(here, folder) {
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  source <- file.path(folder, "several.cpp")
  fresh <- file.exists(source) && identical(readLines(source), readLines(file.path(here, "several.cpp")))
  if (!fresh || !file.exists(TMB::dynlib(file.path(folder, "several")))) {
    file.copy(file.path(here, "several.cpp"), source, overwrite = TRUE)
    old <- setwd(folder)
    on.exit(setwd(old))
    stopifnot(TMB::compile("several.cpp", flags = "-O1 -w", framework = "TMBad") == 0)
  }
  dyn.load(TMB::dynlib(file.path(folder, "several")))
}

# glmmTMB's reading of the formulas: design, offset and random terms of each predictor.
own_design <- function(m, data) {
  text <- function(x) as.formula(x, env = globalenv())
  assign("reference_data", data, globalenv())
  read <- function(zi) quietly(glmmTMB::glmmTMB(text(m$formula), reference_data, gaussian(), ziformula = text(zi),
                                                doFit = FALSE))
  zi <- read(if (is.null(m$zi)) "~ 0" else m$zi)
  disp <- read(if (m$family %in% NO_DISPERSION) "~ 0" else if (is.null(m$disp)) "~ 1" else m$disp)
  one <- function(s, which) {
    d <- s$data.tmb
    blocks <- s[[paste0(which, "ReStruc")]]
    cond <- which == "cond"
    list(X = if (cond) d$X else d$Xzi, Z = if (cond) d$Z else d$Zzi, offset = if (cond) d$offset else d$zioffset,
         sizes = vapply(blocks, `[[`, 0, "blockSize"), levels = vapply(blocks, `[[`, 0, "blockReps"),
         terms = if (cond) s$condList$reTrms else s$ziList$reTrms)
  }
  list(cond = one(zi, "cond"), zi = one(zi, "zi"), disp = one(disp, "zi"), y = as.vector(zi$data.tmb$yobs))
}

own_tight <- function(m, data) {
  p <- own_design(m, data)
  ends <- c(cond = "", zi = "zi", disp = "d")
  parts <- list(family = match(m$family, OWN_FAMILIES) - 1L, link = match(m$link, OWN_LINKS) - 1L, y = p$y,
                weights = rep(1, length(p$y)), log_bell = if (m$family == "bell") log_bell(p$y) else 0 * p$y)
  start <- list()
  for (key in names(ends)) {
    d <- p[[key]]
    named <- function(name) paste0(name, ends[[key]])
    parts[[paste0(ends[[key]], "offset")]] <- d$offset
    parts[[named("X")]] <- d$X
    parts[[named("Z")]] <- as(d$Z, "dgCMatrix")
    parts[[named("sizes")]] <- as.integer(d$sizes)
    parts[[named("levels")]] <- as.integer(d$levels)
    start[[named("beta")]] <- rep(0, ncol(d$X))
    start[[named("b")]] <- rep(0, ncol(d$Z))
    start[[named("theta")]] <- unlist(lapply(d$sizes, function(k) c(rep(-1, k), rep(0, k * (k - 1) / 2))))
    if (is.null(start[[named("theta")]])) start[[named("theta")]] <- numeric()
  }
  start$psi <- if (is.null(m$psi)) numeric() else m$psi
  centre <- mean(p$y[p$y > 0 | m$link == "identity"])
  start$beta[1] <- switch(m$link, identity = centre, log = log(centre), logit = qlogis(centre))
  if (length(start$betad)) start$betad[1] <- switch(m$family, gaussian = , skewnormal = , lognormal = log(sd(p$y)), 1)
  if (m$family == "gaussian" && sd(p$y) > 10) start$theta[] <- ifelse(start$theta < 0, log(sd(p$y) / 3), 0)
  random <- c("b", "bzi", "bd")[lengths(start[c("b", "bzi", "bd")]) > 0]
  obj <- TMB::MakeADFun(parts, start, random = if (length(random)) random, DLL = "several", silent = TRUE)
  c(tighten(obj, unname(obj$par), 1), list(obj = obj, design = p))
}

correlation_of <- function(shape, k) {
  L <- diag(k)
  L[upper.tri(L)] <- shape  # column by column of the transpose is row by row
  L <- t(L)
  cov2cor(L %*% t(L))
}

own_terms <- function(d, component, theta, modes, sds) {
  at <- first <- 0
  lapply(seq_along(d$sizes), function(t) {
    k <- d$sizes[t]
    part <- theta[first + seq_len(k * (k + 1) / 2)]
    rows <- at + seq_len(k * d$levels[t])
    first <<- first + length(part)
    at <<- at + length(rows)
    levels <- levels(d$terms$flist[[attr(d$terms$flist, "assign")[t]]])
    c(list(component = component, structure = "us"),
      term_record(names(d$terms$cnms)[t], d$terms$cnms[[t]], levels, modes[rows], sds[rows], exp(part[seq_len(k)]),
                  correlation_of(part[-seq_len(k)], k), full = 24, first = 12))
  })
}

own_prior <- function(d, theta, b) {
  at <- first <- answer <- 0
  for (t in seq_along(d$sizes)) {
    k <- d$sizes[t]
    part <- theta[first + seq_len(k * (k + 1) / 2)]
    S <- correlation_of(part[-seq_len(k)], k) * outer(exp(part[seq_len(k)]), exp(part[seq_len(k)]))
    u <- matrix(b[at + seq_len(k * d$levels[t])], k)
    root <- chol(S)
    answer <- answer - .5 * sum(backsolve(root, u, transpose = TRUE)^2) -
      ncol(u) * (sum(log(diag(root))) + k / 2 * log(2 * pi))
    first <- first + length(part)
    at <- at + length(u)
  }
  answer
}

own_record <- function(m, found) {
  p <- found$design
  par <- found$obj$env$parList(found$par, found$last)
  spectrum <- eigen(found$hessian, symmetric = TRUE, only.values = TRUE)$values
  V <- if (min(spectrum) > 1e-9 * max(spectrum)) solve(found$hessian) else pseudo_inverse(found$hessian)
  sds <- sd_of_random(found$obj, found$last)
  kind <- names(found$last)[found$obj$env$random]
  ends <- c(cond = "", zi = "zi", disp = "d")
  value <- function(name, key) par[[paste0(name, ends[[key]])]]
  eta <- function(key, conditional = TRUE) {
    d <- p[[key]]
    as.vector(d$X %*% value("beta", key)) + d$offset + if (conditional) as.vector(d$Z %*% value("b", key)) else 0
  }
  linkinv <- make.link(m$link)$linkinv
  zi <- if (ncol(p$zi$X)) eta("zi")
  rows <- row_log_density(m$family, p$y, 1, eta("cond"), linkinv(eta("cond")), exp(eta("disp")), par$psi, zi)
  prior <- function(key) own_prior(p[[key]], value("theta", key), value("b", key))
  joint <- sum(rows) + sum(vapply(names(ends), prior, 0))
  component <- function(key) {
    X <- p[[key]]$X
    if (!ncol(X)) return(NULL)
    at <- which(found$names == paste0("beta", ends[[key]]))
    list(names = I(colnames(X)), values = I(found$par[at]), se = I(sqrt(diag(V)[at])),
         x_probe = I(unname(colSums(X * cos(seq_len(nrow(X)))))))
  }
  predicted <- function(conditional, kept) {
    mu <- linkinv(eta("cond", conditional))
    zero <- if (ncol(p$zi$X)) plogis(eta("zi", conditional))
    values <- list(link = eta("cond", conditional), response = if (is.null(zero)) mu else (1 - zero) * mu,
                   conditional = mu, zlink = if (!is.null(zero)) eta("zi", conditional), zprob = zero,
                   phi = if (ncol(p$disp$X)) exp(eta("disp", conditional)))
    lapply(Filter(Negate(is.null), values[kept]), several_by_row)
  }
  shape <- which(found$names == "psi")
  k <- length(found$par)
  ll <- -found$value
  list(
    log_likelihood = ll, df = k, aic = -2 * ll + 2 * k, nobs = length(p$y),
    gradient = max(abs(found$gradient)), scaled_gradient = found$scaled_gradient,
    converged = found$scaled_gradient < 1e-6 && min(spectrum) > 0, restart_spread = found$restart_spread,
    components = Filter(Negate(is.null), sapply(names(ends), component, simplify = FALSE)),
    theta = I(par$theta), theta_zi = I(par$thetazi), theta_disp = I(par$thetad),
    family_parameters = if (length(shape)) list(
      names = I("shape"), values = I(if (m$family == "nbinom12") exp(par$psi) else par$psi), psi = I(par$psi),
      se_psi = I(sqrt(diag(V)[shape]))),
    parameters = I(found$names), vcov = signif(V, 10),
    terms = with_full_sd(do.call(c, lapply(names(ends), function(key) own_terms(
      p[[key]], key, value("theta", key), value("b", key), sds[kind == paste0("b", ends[[key]])]))),
                         full_sd_of_random(found$obj, found$par, found$hessian)),
    density = list(difference = abs(joint + found$obj$env$f(found$last)), rows = several_by_row(rows)),
    predictions = predicted(TRUE, c("link", "response", "conditional", "zlink", "zprob", "phi")),
    population = predicted(FALSE, c("link", "response")))
}

# -- zero-one-inflated beta ---------------------------------------------------------------------------
zoib_parts <- function(m, data) {
  y <- data[[all.vars(as.formula(m$formula))[1]]]
  data$at_end <- as.integer(y == 0 | y == 1)
  data$at_one <- as.integer(y == 1)
  list(
    zoi = list(m = list(formula = paste("at_end", m$zoi), family = "binomial", link = "logit"), data = data),
    coi = list(m = list(formula = paste("at_one", m$coi), family = "binomial", link = "logit"),
               data = droplevels(data[data$at_end == 1, ])),
    rest = list(m = list(formula = m$formula, disp = m$disp, family = "beta_family", link = "logit"),
                data = data[data$at_end == 0, ]))
}

zoib_record <- function(m, data) {
  parts <- lapply(zoib_parts(m, data), function(part) {
    found <- several_tight(part$m, part$data)
    record <- several_record(part$m, found)
    record[!vapply(record, is.null, TRUE)]
  })
  total <- function(key) sum(vapply(parts, `[[`, 0, key))
  worst <- function(key) max(vapply(parts, `[[`, 0, key))
  list(log_likelihood = total("log_likelihood"), df = total("df"), nobs = nrow(data), gradient = worst("gradient"),
       scaled_gradient = worst("scaled_gradient"), converged = all(vapply(parts, `[[`, TRUE, "converged")),
       restart_spread = worst("restart_spread"),
       density = list(difference = max(vapply(parts, function(part) part$density$difference, 0))),
       parts = lapply(parts, function(part) part[setdiff(names(part), c("density", "population", "sigma", "default"))]))
}
