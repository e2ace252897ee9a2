"""Laplace's approximation, adaptive quadrature and joint modes."""
