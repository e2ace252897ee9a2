# Shared by every script of this folder: locating files, writing data and references.

folder_of_script <- function() {
  file <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(file)) dirname(normalizePath(file)) else getwd()
}

# Value of `--name value` on the command line, or `default`.
argument <- function(name, default) {
  args <- commandArgs(TRUE)
  at <- match(paste0("--", name), args)
  if (is.na(at)) default else args[at + 1]
}

# Shortest decimal text that reads back as the same double (15 to 17 digits).
exact_text <- function(x) {
  text <- rep("", length(x))
  off <- !is.na(x)
  for (digits in 15:17) {
    text[off] <- sprintf(paste0("%.", digits, "g"), x[off])
    off[off] <- as.numeric(text[off]) != x[off]
  }
  text
}

column_kind <- function(x) {
  if (is.factor(x)) "factor"
  else if (is.logical(x)) "logical"
  else if (is.integer(x)) "integer"
  else if (is.numeric(x)) "numeric"
  else if (is.character(x)) "string"
  else stop("no plan for a column of class ", class(x)[1])
}

quoted <- function(x) {
  x <- enc2utf8(as.character(x))
  needs <- !is.na(x) & grepl('[",\n]', x)
  x[needs] <- paste0('"', gsub('"', '""', x[needs]), '"')
  x[is.na(x)] <- ""
  x
}

column_text <- function(x) {
  switch(column_kind(x),
    factor = , string = quoted(x),
    logical = ifelse(is.na(x), "", ifelse(x, "True", "False")),
    integer = ifelse(is.na(x), "", format(x, scientific = FALSE, trim = TRUE)),
    numeric = exact_text(x))
}

# UTF-8 CSV, an empty field for a missing value; gzip when the name ends in .gz (no time stamp
# inside, so that the same data make the same bytes).
write_data <- function(frame, path) {
  lines <- c(paste(quoted(names(frame)), collapse = ","),
             do.call(paste, c(unname(lapply(frame, column_text)), sep = ",")))
  plain <- sub("[.]gz$", "", path)
  con <- file(plain, "wb")
  writeLines(enc2utf8(lines), con, useBytes = TRUE)
  close(con)
  if (plain != path) {
    unlink(path)
    stopifnot(system2("gzip", c("-9", "-n", shQuote(plain))) == 0)
  }
}

# One entry per column: what a reader needs to build the same column again. Levels "1", "2", …,
# "k" are written as the number k.
column_metadata <- function(frame) {
  lapply(as.list(frame), function(x) {
    if (is.factor(x)) {
      stopifnot(!any(levels(x) == ""))
      counted <- identical(levels(x), as.character(seq_len(nlevels(x))))
      list(kind = "factor", ordered = is.ordered(x),
           levels = if (counted) nlevels(x) else I(levels(x)))
    } else list(kind = column_kind(x))
  })
}

# A JSON object with one key a line: readable diffs without the size of full pretty printing.
write_lines_json <- function(object, path) {
  inner <- vapply(names(object), function(key) {
    paste0(jsonlite::toJSON(key, auto_unbox = TRUE), ": ",
           jsonlite::toJSON(object[[key]], auto_unbox = TRUE, digits = NA, na = "null",
                            null = "null"))
  }, "")
  con <- file(path, "wb")
  writeLines(enc2utf8(c("{", paste0(inner, c(rep(",", length(inner) - 1), "")), "}")), con,
             useBytes = TRUE)
  close(con)
}
