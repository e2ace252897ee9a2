"""A fit as frames and text."""
