"""Models written in R, read and translated."""
