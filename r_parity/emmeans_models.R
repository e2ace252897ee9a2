# Tight fits as emmeans, car and lmerTest need them, and their tables as plain lists.

# lmerTest finds the deviance again by the call, which therefore holds formula and data themselves.
linear <- function(data, formula) {
  found <- tight_fit(fitter(list(formula = formula), model_data(data)))$tight
  found@call <- as.call(list(quote(lme4::lmer), formula = as.formula(formula),
                             data = model_data(data), REML = TRUE))
  found
}
# glmmTMB's optimum is that of glmer's criterion under canonical links.
generalised <- function(data, formula, family, weights = NULL) {
  d <- model_data(data)
  d$.w <- if (is.null(weights)) 1 else d[[weights]]
  tight_glmmTMB(glmmTMB(as.formula(formula), d, family, weights = .w))
}

plain <- function(frame) {
  frame <- as.data.frame(frame)
  frame[] <- lapply(frame, function(column) if (is.factor(column)) as.character(column) else column)
  lapply(as.list(frame), I)
}

lmm <- function(data, formula) list(data = data, formula = formula)
glmm <- function(data, formula, family, weights = NULL)
  list(data = data, formula = formula, family = family, prior = weights)
