"""Results as other packages take them."""
