# Time one task with lme4; prints one line of JSON.  Arguments: csv, formula, repeats, kind, batch.
suppressMessages(library(lme4))
argument <- commandArgs(trailingOnly = TRUE)
data <- read.csv(argument[1], check.names = FALSE, stringsAsFactors = FALSE)
kinds <- strsplit(argument[6], ",")[[1]]
for (i in seq_along(kinds)) {
  if (kinds[i] == "factor") data[[i]] <- factor(data[[i]])
  if (kinds[i] == "ordered") data[[i]] <- factor(data[[i]], levels = unique(data[[i]]), ordered = TRUE)
}
formula <- as.formula(argument[2])
repeats <- as.integer(argument[3])
batch <- as.integer(argument[5])
fit <- suppressWarnings(suppressMessages(lmer(formula, data)))
draws <- simulate(fit, 20, seed = 1)
at <- 0
call <- if (argument[4] == "refit") {
  function() { at <<- at %% 20 + 1; suppressWarnings(suppressMessages(refit(fit, draws[[at]]))) }
} else {
  function() suppressWarnings(suppressMessages(lmer(formula, data)))
}
seconds <- replicate(repeats, {
  start <- as.numeric(Sys.time())
  for (i in seq_len(batch)) call()
  (as.numeric(Sys.time()) - start) / batch
})
cat(sprintf('{"median": %.9g, "min": %.9g, "criterion": %.12g}\n', median(seconds), min(seconds),
            as.numeric(-2 * logLik(fit))))
