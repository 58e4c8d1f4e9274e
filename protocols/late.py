"""Packages that take a second to import, imported where they are needed, without their noise."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

__all__ = ["import_late"]


def import_late(name: str) -> Any:
    """Import and return a module, without pymbar's warning about JAX, which others import too."""
    logger = logging.getLogger("pymbar")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return import_module(name)
    finally:
        logger.setLevel(level)
