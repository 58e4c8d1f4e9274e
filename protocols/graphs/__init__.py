"""Protocols and how they are wired, named and written as documents; nothing here executes."""
