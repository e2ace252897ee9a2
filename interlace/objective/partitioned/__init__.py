"""Criteria that are sums over pieces of the rows, each with a worker: threads, processes, Dask."""
