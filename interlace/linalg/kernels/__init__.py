"""Compiled loops over plain arrays: no algorithm, no decision and no memory policy lives here.

Each ``.pyx`` of this folder is one module; the tests hold a numpy twin of every function.
"""
