"""Parsl as the engine: mapping, providers, supervision."""
