"""Residuals, influence and convergence of a fit."""
