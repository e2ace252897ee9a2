"""A fit as JSON and back: no pickle, and nothing that a file says is run."""
