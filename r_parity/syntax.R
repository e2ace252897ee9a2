# R's trees of pieces of R, in Polish notation: r_parity/references/syntax.json.
#   Rscript r_parity/syntax.R [--out r_parity]
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))),
                 "common.R"))
here <- folder_of_script()
for (file in c("simulate.R", "collect.R")) source(file.path(here, file))
out <- argument("out", here)

number <- function(x) { x <- as.numeric(x); s <- exact_text(x); if (!grepl("[.e]", s)) s <- paste0(s, ".0"); s }
prefix <- function(e) {
  if (missing(e)) return("_")
  if (is.null(e)) return("NULL")
  if (is.name(e)) return(if (nzchar(as.character(e))) as.character(e) else "_")
  if (is.logical(e)) return(if (is.na(e)) "NA" else if (e) "TRUE" else "FALSE")
  if (is.character(e)) return(as.character(jsonlite::toJSON(e, auto_unbox = TRUE)))
  if (is.numeric(e)) return(number(e))
  head <- prefix(e[[1]])
  if (head == "function") return(sprintf("(function %s)", paste(c(names(e[[2]]), prefix(e[[3]])), collapse = " ")))
  pieces <- vapply(seq_along(e)[-1], function(i) {
    value <- if (identical(e[[i]], quote(expr = ))) "_" else prefix(e[[i]])
    name <- names(e)[i]
    if (is.null(name) || !nzchar(name)) value else paste0(name, "=", value)
  }, "")
  sprintf("(%s)", paste(c(head, pieces), collapse = " "))
}

texts <- c(
  "a <- b <- 1", "a = b", "1 -> a", "a <<- 2L", "-2^2", "2^-1", "2^3^2", "-a:b", "a:b + c", "a %in% b:c", "-a %in% b",
  "!x == y & z | w", "!a & b", "a && b || c", "y ~ x + (1 | g)", "~ x", "y ~ x | g", "y ~ 1 + x || g", "a * b + c / d %% e",
  "x$a$b[1, ][[\"c\"]]", "lme4::lmer(y ~ x)$frame", "f(a, b = 2, ...)", "f(, 1)", "f(a = )", "x[, 1]", "x[1, , drop = FALSE]",
  "function(x, y) x + y", "\\(x) x^2", "if (a) b else c", "if (a) { b } else if (c) d", "for (i in 1:10) { print(i); next }",
  "while (TRUE) break", "{ a; b\n c }", "(a)", "((a + b)) * c", "'single'", "\"a\\\"b\\n\"", "r\"(a\\b)\"", "R\"--[x]y]--\"",
  "1e-3", "1e5L", "0x1F", ".5", "5.", "`a b` + `if`", "x |> f(y)", "x |> f(y, data = _)", "d |> subset(x > 3) |> head(2)",
  "f(x)(y)", "x@y", "a\n+ b", "(a\n+ b)", "f(a,\n  b # comment\n)", "T & F", "NULL", "-1L", "+x",
  "a <- function(x) -x", "~ x + y", "y ~ .", "I(x^2)", "log(x, base = 10)", "x <- y ~ z", "a ~ b ~ c", "?help", "a; b",
  "\u00e9t\u00e9 <- 1", "x_1.y", ".x", "...", "if (a)\n b", "f(function(x) x, 2)", "a == b", "a <= b + 1", "x[[1]][2]",
  "c(a = 1, 'b' = 2, `c d` = 3)", "a$`b c`", "-1:3", "!a %in% b", "a / b * c", "a - b - c", "a -b", "a ** 2",
  "f(x", "f(x))", "a b", "x <- ", "1x", "_a", "f(,", "'open", "a +* b", "else", "]", "x[[1]")
tree_of <- function(text) {
  e <- tryCatch(parse(text = text, keep.source = FALSE), error = function(e) NULL)
  list(text = text, tree = if (!is.null(e)) I(vapply(as.list(e), prefix, "")))
}
records <- lapply(texts, tree_of)
names(records) <- sprintf("syntax_%03d", seq_along(records))
records$versions <- list(R = as.character(getRversion()))
write_reference(records, file.path(out, "references", "syntax.json"))
