"""Formula text becomes response, fixed part, random terms and offsets."""
