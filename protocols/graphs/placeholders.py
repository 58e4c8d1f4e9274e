"""What a member of a group may take instead of a value: what is known only while the group runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import field_validator

from protocols.errors import InputError
from protocols.graphs.references import OutputReference, Placeholder, instances_in, replace_instances
from protocols.identity import content
from protocols.model import Model

__all__ = ["Collected", "Current", "GroupValue", "History", "Iteration", "Previous", "resolved"]

History: TypeAlias = Sequence[Mapping[str, Model]]
"""The outputs of the members by name, one mapping an iteration; the last is the one that runs."""


class GroupValue(Placeholder, Model):
    """What the group puts in place of it, in every iteration anew."""

    def resolve(self, history: History) -> Any:
        """Return the value in the iteration that runs."""
        raise NotImplementedError

    def required(self) -> Iterator[str]:
        """Yield the members that must have been executed before, in the same iteration."""
        yield from ()


class Current(GroupValue):
    """The value that an output of a member has in this iteration; in a group, references become these.

    Parameters
    ----------
    member, output
        Names.
    """

    member: str
    output: str

    @classmethod
    def parse(cls, text: str) -> Current:
        """Return what "member.output" names.

        Raises
        ------
        InputError
            The text has another form.
        """
        member, _, output = text.rpartition(".")
        if not member or not output:
            raise InputError(f"{text!r} names no output of a member; give a name such as 'average.value'")
        return cls(member=member, output=output)

    def resolve(self, history: History) -> Any:
        """Return the member's output."""
        return getattr(history[-1][self.member], self.output)

    def required(self) -> Iterator[str]:
        """Yield the member."""
        yield self.member

    def identity_content(self) -> Any:
        """Return the names."""
        return {"member output": str(self)}

    def __str__(self) -> str:
        return f"{self.member}.{self.output}"


class _OfMember(GroupValue):
    source: OutputReference | Current

    @field_validator("source", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return Current.parse(value)
        if isinstance(value, OutputReference | Current):
            return value
        raise InputError(f"source: {value!r} is not allowed; give a name such as 'average.value'")


class Previous(_OfMember):
    """The value that an output of a member had in the iteration before.

    Parameters
    ----------
    source
        The output by name, such as "extend.state_file", for a member that is not built yet; or
        ``member.output.name``.
    start
        The value in the first iteration: a value or an output of a protocol.
    """

    start: Any

    @field_validator("start")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if next(instances_in(value, Placeholder), None) is not None:
            raise InputError(f"start: {value!r} is not allowed; give a value or an output of a protocol")
        return value

    if TYPE_CHECKING:

        def __init__(self, source: Any, start: Any) -> None: ...

    else:

        def __init__(self, source: Any, start: Any) -> None:
            super().__init__(source=source, start=start)

    def checked(self, validate: Callable[[Any], Any]) -> Placeholder:
        """Validate the start, unless it is not known yet."""
        if next(instances_in(self.start, (OutputReference, Placeholder)), None) is not None:
            return self
        return self.model_copy(update={"start": validate(self.start)})

    def resolve(self, history: History) -> Any:
        """Return the start in the first iteration, then the output one iteration ago."""
        if len(history) == 1:
            return resolved(self.start, history)
        return resolved(self.source, history[:-1])

    def required(self) -> Iterator[str]:
        """Yield the members that the start depends on."""
        for value in instances_in(self.start, GroupValue):
            yield from value.required()

    def identity_content(self) -> Any:
        """Return source and start."""
        return {"previous": content(self.source, "source"), "start": content(self.start, "start")}

    def __str__(self) -> str:
        return f"Previous({str(self.source)!r})"


class Collected(_OfMember):
    """All values that an output of a member had so far, this iteration's last, as a tuple.

    Parameters
    ----------
    source
        As ``member.output.name``, or by name, such as "extend.observables_file".
    """

    if TYPE_CHECKING:

        def __init__(self, source: Any) -> None: ...

    else:

        def __init__(self, source: Any) -> None:
            super().__init__(source=source)

    def resolve(self, history: History) -> Any:
        """Return the values, the first iteration's first."""
        return tuple(resolved(self.source, history[: i + 1]) for i in range(len(history)))

    def required(self) -> Iterator[str]:
        """Yield the member."""
        for value in instances_in(self.source, GroupValue):
            yield from value.required()

    def identity_content(self) -> Any:
        """Return the source."""
        return {"collected": content(self.source, "source")}

    def __str__(self) -> str:
        return f"Collected({str(self.source)!r})"


class Iteration(GroupValue):
    """The number of the iteration, for seeds.

    Parameters
    ----------
    first
        The number that counting starts with: members that draw random numbers side by side need seeds that
        never meet.
    """

    first: int = 1

    def resolve(self, history: History) -> int:
        """Return the number."""
        return self.first + len(history) - 1

    def identity_content(self) -> Any:
        """Return where counting starts."""
        return {"iteration": self.first}

    def __str__(self) -> str:
        return f"Iteration(first={self.first})"


def resolved(value: Any, history: History) -> Any:
    """Return `value` with everything that only the running group knows replaced."""
    return replace_instances(value, GroupValue, lambda placeholder: placeholder.resolve(history))
