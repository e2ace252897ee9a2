# Time lme4, glmmTMB or nlme on one task in this process; the same lines of JSON as measure.py.
# Rscript r_side.R STEM KIND FORMULA REPETITIONS BUDGET ONCE_ABOVE SYSTEM [FAMILY WEIGHTS NAGQ ZI DISPERSION]
# of nlme: … nlme CORRELATION

options(warn = -1)
arguments <- commandArgs(trailingOnly = TRUE)
stem <- arguments[1]
kind <- arguments[2]
formula <- as.formula(arguments[3])
repetitions <- as.integer(arguments[4])
budget <- as.numeric(arguments[5])
once_above <- as.numeric(arguments[6])
system <- arguments[7]
suppressPackageStartupMessages(library(system, character.only = TRUE))
correlated <- system == "nlme"
generalised <- length(arguments) > 7L && !correlated
sample_seconds <- 0.02

# proc.time() is exact to a millisecond, Sys.time() to a microsecond.
seconds <- function(call, times = 1L) {
  start <- Sys.time()
  for (i in seq_len(times)) value <- call()
  list(time = as.numeric(difftime(Sys.time(), start, units = "secs")) / times, value = value)
}

memory <- function(field) {
  status <- "/proc/self/status"
  if (!file.exists(status)) return(NA_real_)
  line <- grep(paste0("^", field, ":"), readLines(status), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) * 1024 / 1e6
}

number <- function(x) ifelse(is.na(x), "null", sprintf("%.17g", x))
tell <- function(text) {
  cat(text, "\n", sep = "")
  flush(stdout())
}

read_data <- function(stem) {
  # encoded by read.csv from the text of the file: a level "01" is not the number 1
  levels <- read.csv(paste0(stem, ".levels.csv"), colClasses = "character", na.strings = NULL)
  header <- names(read.csv(paste0(stem, ".csv"), nrows = 1L, check.names = FALSE))
  classes <- ifelse(header %in% levels$column, "character", NA)
  data <- read.csv(paste0(stem, ".csv"), colClasses = classes, check.names = FALSE)
  for (column in unique(levels$column)) {
    labels <- levels$level[levels$column == column]
    data[[column]] <- if (identical(labels, "")) factor(data[[column]])
      else factor(data[[column]], levels = labels,
                  ordered = levels$ordered[levels$column == column][1] == "1")
  }
  data
}

if (kind == "p-values") suppressPackageStartupMessages(library(lmerTest))
data <- read_data(stem)

# The call that a user writes, standard errors asked for where the model is a generalised one.
model_call <- function() {
  if (correlated) {  # one random term, the last of the formula
    term <- "[+] *[(]([^()|]*[|][^()|]*)[)] *$"
    fixed <- as.formula(sub(term, "", arguments[3]))
    random <- as.formula(paste("~", regmatches(arguments[3], regexec(term, arguments[3]))[[1]][2]))
    return(bquote(lme(.(fixed), data, .(random), .(str2lang(arguments[8])))))
  }
  if (!generalised) return(if (system == "glmmTMB") bquote(glmmTMB(.(formula), data, REML = TRUE))
                           else bquote(lmer(.(formula), data)))
  family <- switch(arguments[8], binomial = quote(binomial), poisson = quote(poisson),
                   gamma = quote(Gamma(link = "log")), as.name(arguments[8]))
  negative <- arguments[8] == "nbinom2" && system == "lme4"
  call <- if (negative) bquote(glmer.nb(.(formula), data))
    else bquote(.(as.name(if (system == "lme4") "glmer" else system))(.(formula), data, .(family)))
  if (system == "glmmTMB") names(call)[4] <- "family"
  if (arguments[9] != "-") call$weights <- as.name(arguments[9])
  if (arguments[10] != "1") call$nAGQ <- as.integer(arguments[10])
  if (arguments[11] != "-") call$ziformula <- as.formula(arguments[11])
  if (arguments[12] != "-") call$dispformula <- as.formula(arguments[12])
  call
}
standard_errors <- function(model) {
  if (system == "glmmTMB") sqrt(diag(vcov(model)$cond)) else sqrt(diag(as.matrix(vcov(model))))
}
fit <- eval(bquote(function() .(model_call())))
criterion <- if (generalised || correlated || system == "glmmTMB") function(model) -2 * as.numeric(logLik(model)) else REMLcrit
per <- 1
if (kind == "refit") {
  responses <- as.list(read.csv(paste0(stem, ".responses.csv")))
  per <- length(responses)
  model <- fit()
  # glmmTMB takes successes and failures
  if (system == "glmmTMB" && arguments[9] != "-") {
    trials <- data[[arguments[9]]]
    responses <- lapply(responses, function(y) round(cbind(y * trials, (1 - y) * trials)))
  }
  call <- function() lapply(responses, function(y) {
    refitted <- refit(model, y)
    if (generalised) standard_errors(refitted)
    refitted
  })
  each <- criterion
  criterion <- function(value) sum(vapply(value, each, numeric(1)))
} else {
  call <- function() {
    model <- fit()
    if (generalised) standard_errors(model)
    if (kind == "p-values") coef(summary(model))
    model
  }
}

invisible(gc())
before <- memory("VmRSS")
tell('{"ready": true}')
first <- seconds(call)
tell(sprintf('{"first": %s, "criterion": %s, "peak": %s, "growth": %s}',
             number(first$time / per), number(criterion(first$value)),
             number(memory("VmHWM")), number(memory("VmHWM") - before)))
samples <- numeric()
if (first$time <= once_above) {
  estimate <- seconds(call)$time
  batch <- max(1L, ceiling(sample_seconds / max(estimate, 1e-6)))
  if (batch == 1L) samples <- estimate
  spent <- estimate
  while (length(samples) < repetitions && (length(samples) < 3L || spent < budget)) {
    sample <- seconds(call, batch)$time
    samples <- c(samples, sample)
    spent <- spent + sample * batch
  }
}
tell(sprintf('{"warm": [%s]}', paste(number(samples / per), collapse = ", ")))
