"""Compiled rows of correlated residuals; the tests hold them to dense algebra."""
