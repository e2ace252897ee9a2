# Time lme4 on one task in this process; the same lines of JSON as measure.py.
# Rscript r_side.R STEM KIND FORMULA REPETITIONS BUDGET ONCE_ABOVE

suppressPackageStartupMessages(library(lme4))
options(warn = -1)
arguments <- commandArgs(trailingOnly = TRUE)
stem <- arguments[1]
kind <- arguments[2]
formula <- as.formula(arguments[3])
repetitions <- as.integer(arguments[4])
budget <- as.numeric(arguments[5])
once_above <- as.numeric(arguments[6])
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
per <- 1
if (kind == "refit") {
  responses <- read.csv(paste0(stem, ".responses.csv"))
  per <- length(responses)
  model <- lmer(formula, data)
  call <- function() lapply(responses, function(y) refit(model, y))
  criterion <- function(value) sum(vapply(value, REMLcrit, numeric(1)))
} else if (kind == "p-values") {
  call <- function() {
    model <- lmer(formula, data)
    coef(summary(model))
    model
  }
  criterion <- REMLcrit
} else {
  call <- function() lmer(formula, data)
  criterion <- REMLcrit
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
  while (length(samples) < repetitions && (length(samples) == 0L || spent < budget)) {
    sample <- seconds(call, batch)$time
    samples <- c(samples, sample)
    spent <- spent + sample * batch
  }
}
tell(sprintf('{"warm": [%s]}', paste(number(samples / per), collapse = ", ")))
