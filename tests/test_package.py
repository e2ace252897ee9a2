"""What is installed is what the repository holds, and every public name is documented."""

from importlib.metadata import version

import interlace


def test_version_is_that_of_the_distribution():
    assert interlace.__version__ == version("interlace")
