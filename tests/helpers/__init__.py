"""What tests share: dense algebra, models fitted once, references of R, data frames."""
