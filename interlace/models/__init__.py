"""A design becomes a frozen fit with its verdict."""
