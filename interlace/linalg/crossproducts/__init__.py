"""The only code that passes over the rows."""
