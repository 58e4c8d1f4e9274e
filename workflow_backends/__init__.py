"""Calculation backends: where and how tasks run, and on which OpenMM platform."""

import lazy_loader

# The names are those of __init__.pyi. Each is imported when it is first used, so that a worker or a help text
# pays for nothing but what it needs.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
