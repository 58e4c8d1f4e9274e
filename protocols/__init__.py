"""Protocols and workflow graphs that estimate physical properties with OpenMM."""
