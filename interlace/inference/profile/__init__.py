"""Profile likelihoods, and the intervals that they give."""
