"""Fitted models as users see them: names they expect, each method a line or two."""
