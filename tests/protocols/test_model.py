from typing import Annotated

import pytest
from pydantic import Field

from protocols.errors import InputError
from protocols.model import Model


class Example(Model):
    numbers: Annotated[tuple[int, ...], Field(min_length=2)] = (1, 2)
    name: Annotated[str, Field(min_length=3)] = "abc"
    share: Annotated[float, Field(gt=0, le=1)] = 0.5


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"numbers": (1,)}, r"numbers: \(1,\) is not allowed; it must have at least 2 items"),
        ({"name": "x"}, "name: 'x' is not allowed; it must have at least 3 characters"),
        ({"share": 3}, "share: 3 is not allowed; it must be at most 1"),
        (
            {"shade": 3},
            r"shade: not an input of Example \(did you mean 'share'\?\); its inputs are numbers, name, share",
        ),
    ],
)
def test_what_is_allowed_is_said_in_one_line(inputs, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        Example(**inputs)
