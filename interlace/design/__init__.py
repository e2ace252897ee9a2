"""A formula and columns become a design."""
