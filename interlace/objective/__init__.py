"""Objectives: value, gradient and curvature of a criterion at a parameter vector."""

from __future__ import annotations

from .base import Evaluation, Objective
from .linear.lmm import LMMObjective, Solution

__all__ = ["Evaluation", "LMMObjective", "Objective", "Solution"]
