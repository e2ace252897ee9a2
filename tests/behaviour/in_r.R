# Fits the models that in_r.py wrote into a folder: Rscript in_r.R FOLDER
suppressMessages({library(lme4); library(jsonlite)})
folder <- commandArgs(TRUE)[1]
models <- fromJSON(file.path(folder, "models.json"), simplifyVector = FALSE)

numbers <- function(x) I(as.numeric(x))

fit_lme4 <- function(m, d) {
  f <- as.formula(m$formula)
  w <- if (is.null(m$weights)) NULL else d[[m$weights]]
  o <- if (is.null(m$offset)) NULL else d[[m$offset]]
  d$.w <- if (is.null(w)) rep(1, nrow(d)) else w
  d$.o <- if (is.null(o)) rep(0, nrow(d)) else o
  quiet <- list(check.conv.singular = "ignore", check.rankX = "silent.drop.cols")
  if (is.null(m$family)) {
    control <- lmerControl(optimizer = "nloptwrap", check.conv.singular = "ignore",
      check.rankX = "silent.drop.cols", check.nobs.vs.nRE = "ignore",
      optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-12, maxeval = 1e5))
    lmer(f, d, REML = m$reml, weights = .w, offset = .o, control = control)
  } else {
    control <- glmerControl(optimizer = c("bobyqa", "bobyqa"), check.conv.singular = "ignore",
      check.rankX = "silent.drop.cols", tolPwrss = 1e-11,
      optCtrl = list(rhoend = 1e-9, maxfun = 20000))
    family <- get(m$family)(link = m$link)
    glmer(f, d, family = family, nAGQ = m$nAGQ, weights = .w, offset = .o, control = control)
  }
}

fit_tmb <- function(m, d) {
  d$.o <- if (is.null(m$offset)) rep(0, nrow(d)) else d[[m$offset]]
  family <- if (m$family == "negativebinomial") glmmTMB::nbinom2(link = m$link)
    else if (m$family == "gamma") Gamma(link = m$link) else get(m$family)(link = m$link)
  glmmTMB::glmmTMB(as.formula(m$formula), d, family = family, offset = .o)
}

one <- function(m) {
  d <- read.csv(file.path(folder, paste0(m$seed, ".csv")), colClasses = NA)
  for (name in intersect(c("f", "g", "h", "k"), names(d))) d[[name]] <- factor(d[[name]])
  told <- character()
  fit <- withCallingHandlers(
    tryCatch(if (m$engine == "lme4") fit_lme4(m, d) else fit_tmb(m, d),
      error = function(e) conditionMessage(e)),
    warning = function(w) { told <<- c(told, conditionMessage(w)); invokeRestart("muffleWarning") },
    message = function(w) invokeRestart("muffleMessage"))
  if (is.character(fit)) return(list(seed = m$seed, error = fit))
  out <- list(seed = m$seed, logLik = as.numeric(logLik(fit)), warnings = I(told))
  if (m$engine == "lme4") {
    out$beta <- numbers(fixef(fit)); out$names <- I(names(fixef(fit)))
    theta <- getME(fit, "theta"); out$theta <- numbers(theta); out$theta_names <- I(names(theta))
  } else {
    b <- glmmTMB::fixef(fit)$cond
    out$beta <- numbers(b[!is.na(b)]); out$names <- I(names(b)[!is.na(b)])
  }
  out
}

found <- lapply(models, one)
write(toJSON(found, digits = NA, auto_unbox = TRUE, na = "null"), file.path(folder, "found.json"))
