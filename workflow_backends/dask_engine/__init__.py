"""Dask as the engine, through its Client."""
