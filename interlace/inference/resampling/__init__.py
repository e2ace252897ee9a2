"""Drawing from a fit and fitting again: bootstrap, comparison by simulation, power."""
