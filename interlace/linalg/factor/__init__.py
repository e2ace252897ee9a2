"""Factorisations of M = Lambda'Z'WZ Lambda + I."""
