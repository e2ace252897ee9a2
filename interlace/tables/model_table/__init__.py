"""Models side by side: their numbers by row, laid out, and written in several formats."""
