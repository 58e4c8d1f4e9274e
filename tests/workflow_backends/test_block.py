from __future__ import annotations

import re
import time

import pytest

from workflow_backends import time_left
from workflow_backends.block import END_VARIABLE, Departure


@pytest.fixture
def in_100_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(END_VARIABLE, str(int(time.time()) + 100))


def test_no_end_is_known_without_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(END_VARIABLE, raising=False)
    assert time_left() is None
    assert Departure().refusal(1e9) is None


@pytest.mark.usefixtures("in_100_s")
def test_the_time_that_is_left() -> None:
    left = time_left()
    assert left is not None
    assert 90 < left <= 100


@pytest.mark.usefixtures("in_100_s")
def test_a_task_that_does_not_fit_is_the_first_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    departure = Departure()
    departure.announce_with(lambda: calls.append(None))
    assert departure.refusal(None) is None
    assert departure.refusal(50) is None
    assert calls == []
    departure._started -= 300  # the block was longer
    kind, reason = departure.refusal(200) or ("", "")
    assert kind == "block ends"
    assert re.match(r"its block of workers had (399|400) s, and \d\d\d? s left", reason)
    assert departure.refusal(None) == ("block ends", "its block of workers ends")
    departure.refusal(200)
    assert len(calls) == 1


@pytest.mark.usefixtures("in_100_s")
def test_a_task_that_fits_into_no_such_block() -> None:
    kind, _ = Departure().refusal(200) or ("", "")
    assert kind == "block too short"
