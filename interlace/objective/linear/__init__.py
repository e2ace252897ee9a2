"""The profiled deviance of linear mixed models."""
