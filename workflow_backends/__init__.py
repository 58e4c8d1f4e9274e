"""Calculation backends: where and how tasks run."""
