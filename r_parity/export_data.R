# Writes data/*.csv[.gz], data/metadata.json and data/README.md from the R packages.
#   Rscript r_parity/export_data.R [--out data]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
source(file.path(folder_of_script(), "simulate_maximal.R"))
out <- argument("out", file.path(folder_of_script(), "..", "data"))

# name -> package, what it is, where it was published (titles and citations of the help pages)
sources <- read.csv(text = '
name,package,title,citation
sleepstudy,lme4,Reaction times in a sleep deprivation study,"Belenky et al. (2003), Journal of Sleep Research 12, 1-12"
Dyestuff,lme4,Yield of dyestuff by batch,"Davies and Goldsmith (1972), Statistical Methods in Research and Production, section 6.4"
Dyestuff2,lme4,"Yield of dyestuff by batch, simulated","Box and Tiao (1973), Bayesian Inference in Statistical Analysis, section 5.1.2"
Penicillin,lme4,Variation in penicillin testing,"Davies and Goldsmith (1972), Statistical Methods in Research and Production, section 6.6"
Pastes,lme4,Paste strength by batch and cask,"Davies and Goldsmith (1972), Statistical Methods in Research and Production, section 6.5"
cake,lme4,Breakage angle of chocolate cakes,"Cook (1938); Cochran and Cox (1957), Experimental Designs, p. 300"
InstEval,lme4,University lecture evaluations by students at ETH,"ETH Zurich, anonymised"
cbpp,lme4,Contagious bovine pleuropneumonia,"Lesnoff et al. (2004), Preventive Veterinary Medicine 64, 27-40"
grouseticks,lme4,Ticks on red grouse chicks,"Elston et al. (2001), Parasitology 122, 563-569"
VerbAgg,lme4,Verbal aggression item responses,"De Boeck and Wilson (2004), Explanatory Item Response Models"
Arabidopsis,lme4,Arabidopsis clipping and fertilisation,"Banta, Stevens and Pigliucci (2010), Oikos 119, 359-369"
Machines,nlme,Productivity scores for machines and workers,"Milliken and Johnson (1992); Pinheiro and Bates (2000), appendix A.14"
Orthodont,nlme,Growth curve of an orthodontic measurement,"Potthoff and Roy (1964), Biometrika 51, 313-326"
Oats,nlme,Split-plot experiment on varieties of oats,"Yates (1935); Pinheiro and Bates (2000), appendix A.15"
Ovary,nlme,Numbers of ovarian follicles of mares over their cycles,"Pierson and Ginther (1987), Animal Reproduction Science 14, 219-231; Pinheiro and Bates (2000), appendix A.18"
BodyWeight,nlme,Body weights of rats on three diets,"Hand and Crowder (1996); Pinheiro and Bates (2000), appendix A.3"
Dialyzer,nlme,Ultrafiltration rates of high-flux dialyzers,"Vonesh and Carter (1992), Biometrics 48, 1-17; Pinheiro and Bates (2000), appendix A.6"
Wheat2,nlme,Yields of wheat varieties and places of their plots,"Stroup and Baenziger (1994), Crop Science 34, 62-66; Pinheiro and Bates (2000), appendix A.31"
Contraception,mlmRev,Contraceptive use in Bangladesh,"Steele, Diamond and Amin (1996), JRSS A 159, 289-299"
Exam,mlmRev,Exam scores from inner London,"Goldstein, Rasbash et al. (1993), Oxford Review of Education 19, 425-433"
ScotsSec,mlmRev,Scottish secondary school scores,"Paterson (1991), Evaluation and Research in Education 5, 97-121"
Chem97,mlmRev,Scores on A-level chemistry in 1997,"Yang, Fielding and Goldstein (2002), Statistical Modelling"
guImmun,mlmRev,Immunisation in Guatemala,"Rodriguez and Goldman (1995), JRSS A 164, 339-355"
Mmmec,mlmRev,Malignant melanoma deaths in Europe,"Langford, Bentham and McDonald (1998), Statistics in Medicine 17, 41-58"
ham,lmerTest,Conjoint study of dry cured ham,"Naes et al. (2010), Food Quality and Preference 10, 368-378"
carrots,lmerTest,Consumer preference mapping of carrots,"Brockhoff, The Royal Veterinary and Agricultural University, Denmark"
bacteria,MASS,Presence of bacteria after drug treatments,"Menzies School of Health Research; Venables and Ripley (2002)"
housing,MASS,Satisfaction with housing in Copenhagen,"Madsen (1976), Scandinavian Journal of Statistics 3, 97-106; Venables and Ripley (2002)"
wine,ordinal,Bitterness of wine,"Randall (1989), Biometrical Journal 7, 781-793"
soup,ordinal,Discrimination study of packet soup,"Christensen, Cleaver and Brockhoff (2011), Food Quality and Preference 22, 542-549"
Salamanders,glmmTMB,Repeated counts of salamanders in streams,"Price et al. (2016), Journal of Applied Ecology 53, 459-468"
Owls,glmmTMB,Begging by owl nestlings,"Roulin and Bersier (2007), Animal Behaviour 74, 1099-1106"
epil2,glmmTMB,Seizure counts for epileptics,"Thall and Vail (1990); Booth et al. (2003), Statistical Modelling 3, 179-191"
', strip.white = TRUE)

GZIP_ABOVE <- 300e3  # bytes of plain CSV

dir.create(out, showWarnings = FALSE, recursive = TRUE)
metadata <- list()
for (i in seq_len(nrow(sources))) {
  s <- sources[i, ]
  env <- new.env()
  data(list = s$name, package = s$package, envir = env)
  frame <- as.data.frame(env[[s$name]])
  stopifnot(all(vapply(frame, function(x) is.null(attr(x, "contrasts")), TRUE)))
  file <- paste0(s$name, ".csv")
  write_data(frame, file.path(out, file))
  if (file.size(file.path(out, file)) > GZIP_ABOVE) {
    unlink(file.path(out, file))
    file <- paste0(file, ".gz")
    write_data(frame, file.path(out, file))
  }
  version <- as.character(packageVersion(s$package))
  metadata[[s$name]] <- list(
    file = file, rows = nrow(frame),
    source = sprintf("R package %s %s: %s. %s", s$package, version, s$title, s$citation),
    columns = column_metadata(frame))
}

maximal <- simulate_maximal()
write_data(maximal, file.path(out, "maximal.csv.gz"))
metadata[["maximal"]] <- list(
  file = "maximal.csv.gz", rows = nrow(maximal),
  source = "simulated by r_parity/simulate_maximal.R: two crossed terms of 8 correlated effects",
  columns = column_metadata(maximal))

write_lines_json(metadata, file.path(out, "metadata.json"))
writeLines(c(
  "# Data sets", "",
  "Written by `Rscript r_parity/export_data.R` (the last one by `r_parity/simulate_maximal.R`):",
  "rows, columns and factor levels as in R; an empty field is a missing value. `metadata.json`",
  "holds the kind of each column and the order of factor levels.",
  "`interlace.load_dataset(name)` reads them. The R packages are free software under the GPL;",
  "the data are those published in the works cited.", "",
  "| file | rows | source |", "|---|---|---|",
  vapply(metadata, function(m) sprintf("| `%s` | %d | %s |", m$file, m$rows, m$source), "")),
  file.path(out, "README.md"))
