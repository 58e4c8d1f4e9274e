"""What a name that is not known was probably meant to be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]

_LEAST_LETTERS = 3
_MOST = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the names that were probably meant, or nothing.

    Capitals and punctuation do not count. Names that contain it come first ("parsl-slurm" for "slurm"), then
    one that is spelt nearly so, then those that contain it without a number at its end ("GaffForceField" for
    "gaff2"), then those that share a word ("SelfDiffusion" for "DiffusionConstant").
    """
    names, letters = list(known), _letters(name)
    spelt = {_letters(each): each for each in names}
    found = (
        [each for each in names if _letters(each) == letters]
        or _containing(letters, names)
        or [spelt[each] for each in get_close_matches(letters, spelt, n=1)]
        or _containing(re.sub(r"\d+$", "", letters), names)
        or _sharing_a_word(name, names)
    )
    return f" (did you mean {' or '.join(map(repr, found[:_MOST]))}?)" if found else ""


def _containing(letters: str, names: Iterable[str]) -> list[str]:
    return [each for each in names if len(letters) >= _LEAST_LETTERS and letters in _letters(each)]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _sharing_a_word(name: str, known: Iterable[str]) -> list[str]:
    names = list(known)
    counted = Counter(word for each in names for word in _words(each))
    telling = {word for word in _words(name) if 2 * counted[word] < len(names)}  # not "field" of force fields
    shared = {each: len(telling & _words(each)) for each in names}
    most = max(shared.values(), default=0)
    return [each for each in shared if most and shared[each] == most]


def _words(name: str) -> set[str]:
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return {word.casefold() for word in found if len(word) >= _LEAST_LETTERS}
