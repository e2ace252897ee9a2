"""Matrices: cross-products, factorisations, inverses. It knows arrays only."""
