"""Compiled rows of log-densities; the tests hold each to its twin on jets."""
