"""Seeds that follow from other seeds, so that one number reproduces a whole run."""

from __future__ import annotations

import hashlib

__all__ = ["derived_seed"]


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed for one purpose, from 1 (OpenMM takes 0 for "any") to 2**31 - 1.

    Parameters
    ----------
    seed
        Of the run.
    *purpose
        What the seed is for; other words or numbers give an unrelated seed.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % (2**31 - 1) + 1
