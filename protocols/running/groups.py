"""ConditionalGroup: protocols executed again and again until conditions on their outputs hold."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field, create_model, model_validator
from pydantic.fields import FieldInfo

from protocols.errors import ExecutionError, InputError
from protocols.graphs.conditions import Condition
from protocols.graphs.group_document import read_group, written_members
from protocols.graphs.members import Wiring, check_sources, in_order_of
from protocols.graphs.placeholders import Collected, Current, Iteration, Previous
from protocols.graphs.protocol import Protocol, inputs_of, protocols_in
from protocols.graphs.references import instances_in
from protocols.model import Model
from protocols.running.execution import execute_in
from workflow_backends.resources import ComputeResources

__all__ = ["ConditionalGroup"]

_Declared: TypeAlias = tuple[tuple[str, type[Protocol], str], ...]


class ConditionalGroup(Protocol):
    """Execute protocols again and again, in one place, until conditions on their outputs hold.

    Beside values and outputs of protocols inside and outside of the group, its members may take
    `Previous`, `Collected` and `Iteration`. A member whose inputs are those of an earlier iteration is not
    executed again; an interrupted group goes on with what was finished.

    Parameters
    ----------
    protocols
        The members by name, in any order.
    conditions
        That must all hold, each a `Condition` on an output of a member.
    outputs
        The outputs of the group by name, each an output of a member: its value in the last iteration.
    max_iterations
        After which the group ends whether the conditions hold or not.

    Raises
    ------
    InputError
        A name, a condition or an output is not allowed, members take outputs of each other in a circle, or
        nothing would change from one iteration to the next.
    ExecutionError
        A member failed; the message names it, the iteration and its directory.
    """

    protocols: dict[str, Any]
    conditions: tuple[Condition, ...]
    outputs: dict[str, Any]
    max_iterations: Annotated[int, Field(ge=1)]

    class Outputs(Protocol.Outputs):
        """The outputs that were named, and how the group ended.

        Parameters
        ----------
        iterations
            That were done.
        satisfied
            Whether all conditions hold in the last one.
        """

        declared: ClassVar[_Declared] = ()
        iterations: int
        satisfied: bool

        def __reduce__(self) -> Any:
            # A class with the named outputs is made at run time; what it is made of travels instead.
            return _restore, (self.declared, dict(self))

    @model_validator(mode="before")
    @classmethod
    def _wire(cls, data: dict[str, Any]) -> dict[str, Any]:
        if not {"protocols", "conditions", "outputs"} <= data.keys():
            return data  # refused with the others that are missing
        wiring = Wiring(data["protocols"])
        members = wiring.members
        wired = {
            "protocols": members,
            "conditions": wiring.wired(_conditions(data["conditions"])),
            "outputs": wiring.wired(_outputs(data["outputs"])),
        }
        check_sources(wired, {name: member.kind for name, member in members.items()})
        _check_of_members(wired, ", ".join(members))
        order = in_order_of({name: member.required() for name, member in members.items()})
        return data | wired | {"protocols": {name: members[name] for name in order}}

    @model_validator(mode="after")
    def _changes(self) -> ConditionalGroup:
        changing = next(instances_in(self.protocols, (Previous, Collected, Iteration)), None)
        if changing is None and self.max_iterations != 1:
            raise InputError(
                "protocols: no iteration can differ from the one before; give a member Previous(...), "
                "Collected(...) or Iteration(), or max_iterations=1"
            )
        return self

    def document_inputs(self, type_name: Callable[[type[Protocol]], str]) -> dict[str, Any]:
        """Return the inputs with the members as a document holds protocols."""
        return inputs_of(self) | {"protocols": written_members(self.protocols, type_name)}

    @classmethod
    def read_inputs(cls, inputs: dict[str, Any], where: str) -> dict[str, Any]:
        """Return the inputs with protocols, conditions and outputs made of what a document holds."""
        group = read_group(inputs, where)
        own = {name: value for name, value in inputs.items() if name not in group}
        return super().read_inputs(own, where) | group

    @property
    def uses_gpu(self) -> bool:  # type: ignore[override]
        """Whether a member does."""
        return any(member.kind.uses_gpu for member in self.protocols.values())

    @property
    def durable(self) -> bool:  # type: ignore[override]
        """Whether a member is."""
        return any(member.kind.durable for member in self.protocols.values())

    @cached_property
    def upstream(self) -> tuple[Protocol, ...]:
        """The protocols outside of the group that it takes outputs of."""
        return protocols_in(inputs_of(self))

    @property
    def output_types(self) -> Mapping[str, FieldInfo]:
        """The declared type of each output, by name."""
        return self._model.model_fields

    def parse_outputs(self, data: dict[str, Any]) -> Outputs:
        """Return the outputs that were saved as plain data."""
        return self._model(**data)

    @property
    def _model(self) -> type[Outputs]:
        return _outputs_model(
            tuple(
                (name, self.protocols[source.member].kind, source.output)
                for name, source in self.outputs.items()
            )
        )

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Iterate, each member in ``iteration-0001/<its label>`` and so on."""
        history: list[dict[str, Model]] = []
        finished: dict[str, Model] = {}
        before: list[str] = []
        unmet = list(self.conditions)
        while unmet and len(history) < self.max_iterations:
            history.append({})
            identities = self._iterate(directory, available_resources, history, finished)
            unmet = [condition for condition in self.conditions if not condition.holds(history)]
            if unmet and identities == before:
                raise InputError(
                    f"iteration {len(history)}: no member has other inputs than in the iteration before, so "
                    f"that nothing can change any more; not met: {', '.join(map(str, unmet))}"
                )
            before = identities
        named = {name: source.resolve(history) for name, source in self.outputs.items()}
        return self._model(iterations=len(history), satisfied=not unmet, **named)

    def _iterate(
        self,
        directory: Path,
        resources: ComputeResources,
        history: list[dict[str, Model]],
        finished: dict[str, Model],
    ) -> list[str]:
        """Execute every member and return the identities that they have in this iteration."""
        identities = []
        for name, member in self.protocols.items():
            home = directory / f"iteration-{len(history):04d}"
            try:
                protocol = member.resolve(history)
                identity = member.identity_of(protocol)
                home /= f"{member.kind.__name__}-{identity[:16]}"
                if identity not in finished:
                    finished[identity] = execute_in(protocol, home, resources, identity)
            except Exception as error:
                where = f"member {name!r} ({member.kind.__name__}) in iteration {len(history)}"
                raise ExecutionError.caused_by(error, where, home) from error
            history[-1][name] = finished[identity]
            identities.append(identity)
        return identities


def _conditions(given: Any) -> tuple[Condition, ...]:
    if not isinstance(given, list | tuple) or not given or not all(isinstance(c, Condition) for c in given):
        raise InputError(f"conditions: {given!r} is not allowed; give a list of at least one Condition")
    return tuple(given)


def _outputs(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"outputs: {given!r} is not allowed; give a dict of outputs by name")
    for name in given:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise InputError(f"outputs: the name {name!r} is not allowed; give one such as 'density'")
        if (
            name.startswith("_")
            or name in ConditionalGroup.Outputs.model_fields
            or hasattr(ConditionalGroup.Outputs, name)
        ):
            raise InputError(f"outputs: the name {name!r} is taken; give another")
    return dict(given)


def _check_of_members(wired: dict[str, Any], known: str) -> None:
    """Raise InputError where something else is given than an output of a member."""
    sources = [(f"outputs: {name}", value) for name, value in wired["outputs"].items()]
    sources += [(f"conditions: {condition}", condition.output) for condition in wired["conditions"]]
    sources += [
        (str(item), item.source) for item in instances_in(list(wired.values()), (Previous, Collected))
    ]
    for place, source in sources:
        if not isinstance(source, Current):
            raise InputError(f"{place}: {source!r} is not an output of a member; the members are {known}")


@cache
def _outputs_model(declared: _Declared) -> type[ConditionalGroup.Outputs]:
    fields = {name: kind.Outputs.model_fields[output] for name, kind, output in declared}
    types: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items()}
    model = create_model("Outputs", __base__=ConditionalGroup.Outputs, **types)
    model.declared = declared
    return model


def _restore(declared: _Declared, values: dict[str, Any]) -> ConditionalGroup.Outputs:
    return _outputs_model(declared).model_construct(**values)
