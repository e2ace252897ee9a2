# Covariance structures of random effects by glmmTMB: as several_models.R, and
#   map      glmmTMB's: which parameters of the structures are one
#   python   the formula in Python, where names or structures differ

structures <- list()
structured <- function(id, data, formula, family = "gaussian", link = NULL, ...) {
  stopifnot(is.null(structures[[id]]))
  link <- if (is.null(link)) DEFAULT_LINKS[[family]] else link
  structures[[id]] <<- c(list(id = id, data = data, formula = formula, family = family, link = link, restarts = 1),
                         list(...))
}

# -- no pattern, one variance, one correlation ----------------------------------------------------------
structured("sleep_us", "sleepstudy", "Reaction ~ Days + us(Days | Subject)")
structured("sleep_us_reml", "sleepstudy", "Reaction ~ Days + us(Days | Subject)", reml = TRUE)
structured("sleep_diag", "sleepstudy", "Reaction ~ Days + diag(Days | Subject)")
MACHINES <- "score ~ Machine + %s(0 + Machine | Worker)"
structured("machines_homdiag", "Machines", sprintf(MACHINES, "diag"), python = sprintf(MACHINES, "homdiag"),
           map = list(theta = c(1, 1, 1)))
structured("machines_cs", "Machines", sprintf(MACHINES, "cs"))
structured("machines_cs_reml", "Machines", sprintf(MACHINES, "cs"), reml = TRUE)
structured("machines_homcs", "Machines", sprintf(MACHINES, "cs"), python = sprintf(MACHINES, "homcs"),
           map = list(theta = c(1, 1, 1, 2)))
structured("machines_homcs_reml", "Machines", sprintf(MACHINES, "cs"), python = sprintf(MACHINES, "homcs"),
           map = list(theta = c(1, 1, 1, 2)), reml = TRUE)
GROWN <- "distance ~ age * Sex + %s(0 + factor(age) | Subject)"
structured("orthodont_homcs", "Orthodont", sprintf(GROWN, "cs"), python = sprintf(GROWN, "homcs"), disp = "~ 0",
           map = list(theta = c(1, 1, 1, 1, 2)))
structured("orthodont_homtoep", "Orthodont", sprintf(GROWN, "toep"), python = sprintf(GROWN, "homtoep"), disp = "~ 0",
           map = list(theta = c(1, 1, 1, 1, 2, 3, 4)))
SEIZURES <- "y ~ Base * trt + Age + Visit + %s(0 + factor(period) | subject)"
structured("epil_cs", "epil2", sprintf(SEIZURES, "cs"), "poisson")
structured("epil_homcs", "epil2", sprintf(SEIZURES, "cs"), "poisson", python = sprintf(SEIZURES, "homcs"),
           map = list(theta = c(1, 1, 1, 1, 2)))
structured("epil_toep", "epil2", sprintf(SEIZURES, "toep"), "poisson")
structured("epil_homtoep", "epil2", sprintf(SEIZURES, "toep"), "poisson", python = sprintf(SEIZURES, "homtoep"),
           map = list(theta = c(1, 1, 1, 1, 2, 3, 4)))
structured("epil_us", "epil2", sprintf(SEIZURES, "us"), "poisson")
NESTS <- "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + %s(0 + FoodTreatment | Nest)"
structured("owls_cs_nb2_zi", "Owls", sprintf(NESTS, "cs"), "nbinom2", zi = "~ 1")
structured("owls_homdiag_nb1", "Owls", sprintf(NESTS, "diag"), "nbinom1", python = sprintf(NESTS, "homdiag"),
           map = list(theta = c(1, 1)))
structured("owls_zi_diag", "Owls", sprintf(NESTS, "diag"), "poisson", zi = "~ FoodTreatment + diag(FoodTreatment | Nest)")

# -- series -----------------------------------------------------------------------------------------------
SERIES <- "ar1(0 + factor(time) | g)"
number <- function(left, ...) structured(..., formula = paste(left, "+", SERIES), python = paste(left, "+ ar1(0 + time | g)"))
number("y ~ x", id = "series_ar1", data = "sim:series")
number("y ~ x", id = "series_ar1_reml", data = "sim:series", reml = TRUE)
number("y ~ x + (1 | g)", id = "series_ar1_intercept", data = "sim:series")
number("y ~ x", id = "series_ar1_dispersion", data = "sim:series", disp = "~ x")
number("count ~ x", id = "series_ar1_poisson", data = "sim:series", family = "poisson")
number("yes ~ x", id = "series_ar1_binomial", data = "sim:series", family = "binomial")
number("nb ~ x", id = "series_ar1_nb2", data = "sim:series", family = "nbinom2")
number("z ~ x", id = "series_ar1_zip", data = "sim:series", family = "poisson", zi = "~ 1")
structured("series_ou", "sim:series", "drift ~ x + ou(0 + numFactor(at) | g)", python = "drift ~ x + ou(0 + at | g)")
structured("series_ou_reml", "sim:series", "drift ~ x + ou(0 + numFactor(at) | g)", reml = TRUE,
           python = "drift ~ x + ou(0 + at | g)")
structured("series_ou_poisson", "sim:series", "k ~ x + ou(0 + numFactor(at) | g)", "poisson",
           python = "k ~ x + ou(0 + at | g)")

# -- places -----------------------------------------------------------------------------------------------
place <- function(id, left, structure, ...)
  structured(id, "sim:places", sprintf("%s + %s(0 + numFactor(px, py) | all)", left, structure),
             python = sprintf("%s + %s(0 + px + py | all)", left, structure), ...)
place("places_exp", "y ~ x", "exp")
place("places_exp_reml", "y ~ x", "exp", reml = TRUE)
place("places_gau", "v ~ x", "gau")
place("places_exp_poisson", "count ~ x", "exp", "poisson")

# -- reduced rank -----------------------------------------------------------------------------------------
structured("species_rr1", "sim:species", "count ~ species + x + rr(0 + species | site, d = 1)", "poisson",
           python = "count ~ species + x + rr(0 + species | site, d=1)")
structured("species_rr2", "sim:species", "count ~ species + x + rr(0 + species | site, d = 2)", "poisson",
           python = "count ~ species + x + rr(0 + species | site, d=2)")
structured("species_rr2_gaussian", "sim:species", "y ~ species + x + rr(0 + species | site, d = 2)",
           python = "y ~ species + x + rr(0 + species | site, d=2)")
