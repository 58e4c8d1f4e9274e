"""Measured values: read, written, estimated, compared with."""
