"""The printed summaries."""
