"""Compiled loops over plain arrays: no algorithm, no decision and no memory policy lives here.

Each ``.pyx`` of this folder is one module; the tests hold a numpy twin of every function.
"""

from importlib import import_module

try:
    import_module("._blocks", __name__)
except ModuleNotFoundError as error:
    raise ImportError(
        f"The compiled kernels are missing from {__path__[0]}. This is the source tree of "
        "interlace, not an installed package: run Python in another folder (the command "
        "`interlace demo` works in any), or build in place with "
        "`python -m pip install --no-build-isolation -e .`"
    ) from error
