"""Any data frame becomes checked columns, levels and rows."""
