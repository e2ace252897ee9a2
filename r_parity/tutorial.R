# The calls of tutorial_calls.R evaluated as they are: r_parity/references/tutorial.json.
#   Rscript r_parity/tutorial.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
suppressPackageStartupMessages({
  library(Matrix); library(MASS); library(nlme); library(lme4); library(lmerTest, exclude = "lmer")
  library(glmmTMB); library(ordinal); library(mlmRev)
})
here <- folder_of_script()
for (file in c("simulate.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

# ordinal, nlme and lme4 have functions of the same names: data are taken by the package they come from.
for (name in c("sleepstudy", "Dyestuff", "Dyestuff2", "Penicillin", "Pastes", "cake", "InstEval", "cbpp", "grouseticks",
               "VerbAgg", "Arabidopsis")) data(list = name, package = "lme4")
data(list = c("Orthodont", "Oats", "Machines", "BodyWeight", "Ovary", "Dialyzer"), package = "nlme")
data(list = c("Contraception", "Mmmec", "Exam", "ScotsSec"), package = "mlmRev")
data(list = c("ham", "carrots"), package = "lmerTest")
data(list = c("bacteria", "housing"), package = "MASS")
data(list = c("wine", "soup"), package = "ordinal")
data(list = c("Salamanders", "Owls", "epil2"), package = "glmmTMB")

# Coefficients of the mean with standard errors; those of thresholds with them.
table_of <- function(fit) {
  if (inherits(fit, "glmmTMB")) { b <- fixef(fit)$cond; v <- vcov(fit)$cond }
  else if (inherits(fit, "lme")) { b <- nlme::fixef(fit); v <- fit$varFix }
  else if (inherits(fit, "gls")) { b <- coef(fit); v <- fit$varBeta }
  else if (is(fit, "merMod")) { b <- lme4::fixef(fit); v <- as.matrix(vcov(fit)) }
  else if (inherits(fit, "polr")) { b <- c(coef(fit), fit$zeta); v <- vcov(fit) }
  else if (inherits(fit, c("clm", "clmm"))) { b <- coef(fit); b <- b[!duplicated(names(b))]; v <- vcov(fit) }
  else { b <- coef(fit); v <- vcov(fit) }
  list(names = I(names(b)), estimate = I(unname(b)), se = I(unname(sqrt(diag(as.matrix(v)))[seq_along(b)])))
}

# Searches stop where nothing changes any more, unless a call says otherwise.
tight <- function(call) {
  name <- sub(".*:", "", deparse(call[[1]]))
  control <- switch(name,
    lmer = quote(lmerControl(check.conv.singular = "ignore", calc.derivs = FALSE,
                             optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-13, xtol_rel = 1e-12, maxeval = 1e5))),
    glmer = quote(glmerControl(tolPwrss = 1e-12, optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5))),
    glm = quote(glm.control(1e-14, 100)), lme = quote(lmeControl(tolerance = 1e-9, msTol = 1e-10, maxIter = 500, msMaxIter = 500)),
    gls = quote(glsControl(tolerance = 1e-9, msTol = 1e-10, maxIter = 500, msMaxIter = 500)))
  if (!is.null(control) && is.null(call$control)) call$control <- control
  call
}
tightened <- function(e) {
  if (!is.call(e)) return(e)
  name <- sub(".*:", "", deparse(e[[1]])[1])
  if (name %in% c("<-", "(", "with")) { e[[length(e)]] <- tightened(e[[length(e)]]); return(e) }
  tight(e)
}

calls <- parse(file.path(here, "tutorial_calls.R"), keep.source = TRUE)
texts <- vapply(attr(calls, "srcref"), function(s) paste(as.character(s), collapse = "\n"), "")
records <- list()
for (i in seq_along(calls)) {
  cat(i, texts[i], "\n")
  messages <- character()
  fit <- tryCatch(withCallingHandlers(eval(tightened(calls[[i]]), globalenv()),
    warning = function(w) { messages <<- c(messages, conditionMessage(w)); invokeRestart("muffleWarning") },
    message = function(m) invokeRestart("muffleMessage")), error = function(e) e)
  if (inherits(fit, "error")) { cat("   ERROR", conditionMessage(fit), "\n"); next }
  l <- logLik(fit)
  records[[sprintf("call_%03d", i)]] <- c(list(call = texts[i], log_lik = as.numeric(l), df = attr(l, "df"), nobs = nobs(fit),
                                  messages = I(unique(messages))), table_of(fit))
}
records$versions <- versions()
write_reference(records, file.path(out, "references", "tutorial.json"))
