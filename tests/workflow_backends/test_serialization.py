"""Calls, results and exceptions as bytes."""

from __future__ import annotations

import pickle
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from workflow_backends import TaskFuture
from workflow_backends.errors import ResultError
from workflow_backends.serialization import (
    call_prefix,
    dump_call,
    dump_exception,
    dump_result,
    load_call,
    takes_resources,
)


def _future(name: str) -> TaskFuture[int]:
    return TaskFuture(name, SimpleNamespace(condition=threading.Condition()))  # type: ignore[arg-type]


def test_a_call_goes_through_with_its_inputs_filled_in() -> None:
    first, second = _future("first"), _future("second")
    call, inputs = dump_call(max, ([first, second, first],), {"key": lambda x: -x})
    assert list(dict.fromkeys(inputs)) == [first, second]
    function, args, kwargs = load_call(call_prefix([{first: 5, second: 3}[f] for f in inputs]) + call)
    assert function(*args, **kwargs) == 3


def test_the_submitters_search_path_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call, _ = dump_call(abs, (1,), {})
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        message = call_prefix([]) + call
    before = list(sys.path)
    try:
        assert str(tmp_path) not in sys.path
        load_call(message)
        assert str(tmp_path) in sys.path
        assert sys.path[: len(before)] == before
    finally:
        sys.path[:] = before


def test_who_takes_resources() -> None:
    assert takes_resources(lambda available_resources: 0)
    assert takes_resources(lambda *, available_resources=None: 0)
    assert not takes_resources(lambda **kwargs: 0)
    assert not takes_resources(lambda available_resources, /: 0)
    assert not takes_resources(print)


def test_results_that_cannot_be_pickled_are_named() -> None:
    with pytest.raises(ResultError, match="generator"):
        dump_result(x for x in "ab")


def test_an_exception_keeps_type_attributes_and_traceback() -> None:
    class Awkward(Exception):
        def __init__(self, code: int, *, detail: str) -> None:
            super().__init__(f"{code}: {detail}")
            self.detail = detail

    try:
        raise Awkward(3, detail="bad")
    except Awkward as error:
        failure = dump_exception(error)
    assert failure.kind == "raised"
    assert failure.exception is not None
    rebuilt = pickle.loads(failure.exception)
    assert type(rebuilt) is Awkward
    assert (str(rebuilt), rebuilt.detail) == ("3: bad", "bad")
    assert "raise Awkward" in failure.traceback


def test_an_exception_with_a_broken_message_is_described_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    failure = dump_exception(Broken())
    assert "Broken: (its message cannot be shown)" in failure.description
