"""Inference on a fit: degrees of freedom, Wald and likelihood-ratio tests, F tests of terms."""
