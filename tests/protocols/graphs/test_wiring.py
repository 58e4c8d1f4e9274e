from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TypeVar

import pytest
from pydantic import BeforeValidator, Field, RootModel, create_model, field_validator, model_validator

from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.model import Model
from protocols.quantities import AnyQuantity, Pressure, Temperature, Time
from protocols.settings import DynamicsSettings, InteractionSettings, SimulationSettings


class Colour(Enum):
    red = 1


class Name(StrEnum):
    red = "red"


class Root(RootModel[float]):
    pass


class Converting(Model):
    x: float

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value):
        return {"x": value}


def _protocol(name, inputs, outputs):
    """A protocol class with these fields, given as annotations."""

    class Made(Protocol):
        def execute(self, directory, available_resources):
            raise NotImplementedError

    Made.__name__ = Made.__qualname__ = name
    made = create_model(name, __base__=Made, **{key: (kind, ...) for key, kind in inputs.items()})
    made.Outputs = create_model(
        "Outputs", __base__=Protocol.Outputs, **{key: (kind, ...) for key, kind in outputs.items()}
    )
    return made


def _wire(taken, given, value=lambda reference: reference):
    source = _protocol("Other", {}, {"made": given})()
    return _protocol("Sink", {"value": taken}, {})(value=value(source.output.made))


_FITS = [
    (float, float),
    (float, int),
    (float, bool),
    (float | None, int),
    (Annotated[float, Field(gt=0)], Annotated[int, Field(ge=1)]),
    (float, float | None),
    (float | str, Path | str),
    (Optional[float], Optional[float]),  # noqa: UP045  # the old form
    (Path, Path),
    (Path, str),
    (str, Name),
    (str, Literal["a", "b"]),
    (Literal["a", "b"], str),
    (Colour, Colour),
    (Colour, int),
    (Temperature, Temperature),
    (Temperature, AnyQuantity),
    (AnyQuantity, Temperature),
    (AnyQuantity | None, AnyQuantity | None),
    (Temperature, str),
    (DynamicsSettings, SimulationSettings),
    (SimulationSettings, DynamicsSettings),
    (Any, Path),
    (Path, Any),
    (Path, object),
    (Path, TypeVar("T")),
    (tuple[float, ...], tuple[int, ...]),
    (tuple[float, ...], tuple[int, float]),
    (list[float], tuple[int, ...]),
    (Sequence[Path], list[Path]),
    (tuple[float, ...], tuple),
    (tuple[int, Path], tuple[int, Path]),
    (dict[str, float], dict[str, int]),
    (Mapping[str, float], dict),
    (Converting, float),
    (Root, float),
    (Annotated[float, BeforeValidator(float)], Path),
    (datetime, Path),
]

_REFUSED = [
    (float, Path, "takes a float, and Other.output.made is a Path"),
    (float, str, "takes a float, and Other.output.made is a str"),
    (int, float, "takes an int, and Other.output.made is a float"),
    (float | None, Path | None, "takes a float, and Other.output.made is a Path"),
    (float | int, Path, "takes a float or an int, and Other.output.made is a Path"),
    (str, Path, "takes a str, and Other.output.made is a Path"),
    (Path, float, "takes a Path, and Other.output.made is a float"),
    (Path, Temperature, "takes a Path, and Other.output.made is a temperature"),
    (Temperature, Pressure, "takes a temperature, and Other.output.made is a pressure"),
    (
        Temperature | None,
        Annotated[Time, Field(title="t")],
        "takes a temperature, and Other.output.made is a time",
    ),
    (Temperature, float, "takes a temperature, and Other.output.made is a float"),
    (float, AnyQuantity, "takes a float, and Other.output.made is a quantity"),
    (Literal["a", "b"], float, "takes a str, and Other.output.made is a float"),
    (Colour, Name, "takes a Colour, and Other.output.made is a Name"),
    (Colour, Path, "takes a Colour, and Other.output.made is a Path"),
    (DynamicsSettings, InteractionSettings, "takes a DynamicsSettings, and Other.output.made is an Inter"),
    (DynamicsSettings, Path, "takes a DynamicsSettings, and Other.output.made is a Path"),
    (float, tuple[float, ...], "takes a float, and Other.output.made is a tuple of float"),
    (tuple[float, ...], float, "takes a tuple of float, and Other.output.made is a float"),
    (tuple[str, ...], str, "takes a tuple of str, and Other.output.made is a str"),
    (tuple[float, ...], tuple[Path, ...], "takes a tuple of float, and Other.output.made is a tuple of Path"),
    (
        tuple[float, ...],
        tuple[int, Path],
        "takes a tuple of float, and Other.output.made is a tuple of Path and int",
    ),
    (tuple[int, int], tuple[int, int, int], "takes a tuple of int, and Other.output.made is a tuple of int"),
    (dict[str, float], dict[str, Path], "takes a dict of float, and Other.output.made is a dict of Path"),
    (dict[str, float], tuple[float, ...], "takes a dict of float, and Other.output.made is a tuple of float"),
]


@pytest.mark.parametrize(("taken", "given"), _FITS, ids=str)
def test_an_output_that_may_fit_is_taken(taken, given):
    assert _wire(taken, given).value.name == "made"


@pytest.mark.parametrize(("taken", "given", "message"), _REFUSED, ids=str)
def test_an_output_that_cannot_fit_is_refused_with_both_types(taken, given, message):
    with pytest.raises(InputError) as caught:
        _wire(taken, given)
    assert str(caught.value).startswith(f"value: {message}")


@pytest.mark.parametrize(
    ("taken", "given", "value"),
    [
        (tuple[float, ...], float, lambda r: [1, r]),
        (list[float] | float, float, lambda r: [1, r]),
        (tuple[str, float], float, lambda r: ("a", r)),
        (dict[str, float], int, lambda r: {"a": r, "b": 2}),
        (dict[str, tuple[float, ...]], int, lambda r: {"a": (r, 2)}),
        (tuple[tuple[float, ...], ...], float, lambda r: [[1], [r, 2]]),
        (tuple[tuple[float, ...], ...], tuple[float, ...], lambda r: [[1], r]),
        (Any, float, lambda r: {"a": [r]}),
        (tuple, float, lambda r: [r]),
    ],
)
def test_references_stand_among_values(taken, given, value):
    assert _wire(taken, given, value).upstream


@pytest.mark.parametrize(
    ("taken", "given", "value", "message"),
    [
        (
            tuple[float, ...],
            Path,
            lambda r: [1, r],
            "value[1]: takes a float, and Other.output.made is a Path",
        ),
        (
            tuple[Path, float],
            Path,
            lambda r: [r, r],
            "value[1]: takes a float, and Other.output.made is a Path",
        ),
        (
            dict[str, float],
            Path,
            lambda r: {"a": r},
            "value['a']: takes a float, and Other.output.made is a Path",
        ),
        (
            dict[str, tuple[Temperature, ...]],
            Pressure,
            lambda r: {"a": [r]},
            "value['a'][0]: takes a temperature, and Other.output.made is a pressure",
        ),
        (float, float, lambda r: [r], "value: takes a float, and a list is given"),
        (tuple[float, ...], float, lambda r: {"a": r}, "value: takes a tuple of float, and a dict is given"),
        (
            tuple[float, ...],
            float,
            lambda r: ["x", r],
            "value.0: 'x' is not allowed; it must be a number",
        ),
        (dict[str, tuple[float, ...]], int, lambda r: {"a": (r, "y")}, "value.a.1: 'y' is not allowed"),
        (
            tuple[Temperature, ...],
            Temperature,
            lambda r: ["1 bar", r],
            "value: 1 bar is a pressure; give a temp",
        ),
        (Annotated[tuple[float, ...], Field(max_length=1)], float, lambda r: [r, r], "value: "),
    ],
)
def test_what_stands_beside_references_is_checked_too(taken, given, value, message):
    with pytest.raises(InputError) as caught:
        _wire(taken, given, value)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_path_beside_a_reference_counts_by_its_content(tmp_path):
    file = tmp_path / "a.csv"
    identities = set()
    for text in ("one", "two"):
        file.write_text(text)
        identities.add(_wire(tuple[Path, ...], Path, lambda reference: [reference, str(file)]).identity)
    assert len(identities) == 2


def test_an_input_that_converts_takes_anything():
    class Lenient(Protocol):
        value: float

        @field_validator("value", mode="before")
        @classmethod
        def _read(cls, value):
            return float(Path(value).read_text(encoding="utf-8")) if isinstance(value, Path) else value

        def execute(self, directory, available_resources):
            return self.Outputs()

    source = _protocol("Other", {}, {"made": Path})()
    assert Lenient(value=source.output.made).value.name == "made"


def test_outputs_that_depend_on_the_instance_are_looked_up_in_it():
    class Chosen(Protocol):
        kind: str

        @property
        def output_types(self):
            made = create_model(
                "Outputs", __base__=Protocol.Outputs, made=({"path": Path, "float": float}[self.kind], ...)
            )
            return made.model_fields

        def execute(self, directory, available_resources):
            return self.Outputs()

    sink = _protocol("Sink", {"value": float}, {})
    assert sink(value=Chosen(kind="float").output.made)
    with pytest.raises(InputError, match=r"value: takes a float, and Chosen\.output\.made is a Path"):
        sink(value=Chosen(kind="path").output.made)
