# What R makes of fitted cumulative link models: predictions, profile intervals, marginal means.
# Rscript r_parity/ordinal_after.R  (in the repository; writes references/ordinal_after.json)

suppressMessages({
  library(ordinal)
  library(emmeans)
  library(jsonlite)
})

tight <- clm.control(gradTol = 1e-12, relTol = 1e-14)
models <- list(
  flexible = clm(rating ~ temp + contact, data = wine, control = tight),
  probit = clm(rating ~ temp * contact, data = wine, link = "probit", control = tight),
  equidistant = clm(rating ~ temp + contact, data = wine, threshold = "equidistant", control = tight)
)
calls <- list(
  flexible = list(formula = "rating ~ temp + contact", link = "logit", threshold = "flexible"),
  probit = list(formula = "rating ~ temp * contact", link = "probit", threshold = "flexible"),
  equidistant = list(formula = "rating ~ temp + contact", link = "logit", threshold = "equidistant")
)
rows <- unique(wine[, c("temp", "contact")])

means <- function(m, mode) {
  specs <- switch(mode,
    prob = ~ temp | rating,
    cum.prob = , exc.prob = , linear.predictor = ~ temp | cut,
    ~temp
  )
  table <- as.data.frame(emmeans(m, specs, mode = mode))
  list(estimate = table[[ncol(table) - 4]], se = table$SE)
}

tests <- function(m) {
  lapply(list(nominal_test = nominal_test(m), scale_test = scale_test(m)), function(table) {
    list(terms = rownames(table)[-1], df = table$Df[-1], lrt = table$LRT[-1], p = table[["Pr(>Chi)"]][-1])
  })
}

one <- function(id) {
  m <- models[[id]]
  p <- predict(m, rows, type = "prob", se.fit = TRUE, interval = TRUE)
  modes <- c("latent", "mean.class", "prob", "cum.prob", "exc.prob", "linear.predictor")
  c(calls[[id]], list(
    rows = lapply(rows, as.character),
    prob = unname(p$fit), se = unname(p$se.fit), lower = unname(p$lwr), upper = unname(p$upr),
    class = as.character(predict(m, rows, type = "class")$fit),
    confint = unname(confint(m)), confint_names = rownames(confint(m)),
    tests = if (id == "flexible") tests(clm(rating ~ temp + contact, data = wine)),
    means = setNames(lapply(modes, function(mode) means(m, mode)), modes)
  ))
}

versions <- c("ordinal", "emmeans", "jsonlite")
out <- list(
  models = setNames(lapply(names(models), one), names(models)),
  versions = c(
    list(R = paste(R.version$major, R.version$minor, sep = ".")),
    setNames(lapply(versions, function(p) as.character(packageVersion(p))), versions)
  )
)
write_json(out, "r_parity/references/ordinal_after.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)
