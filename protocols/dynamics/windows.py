"""OpenMMAlchemicalSimulation: dynamics with a solute partly there, and its energy in every other state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from protocols.dynamics.engine import Engine
from protocols.dynamics.gas import OpenMMGasSimulation
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.lambdas import AlchemicalState
from protocols.settings import DynamicsSettings
from workflow_backends.platforms import PlatformChoice

__all__ = ["OpenMMAlchemicalGasSimulation", "OpenMMAlchemicalSimulation", "read_energies"]

_PARAMETERS = ("lambda_electrostatics", "lambda_sterics")
_FORBIDDEN = 1e12  # kJ/mol, in place of an overlap whose energy is not finite


class OpenMMAlchemicalSimulation(OpenMMSimulation):
    """Langevin dynamics of a solute in one alchemical state, as `OpenMMSimulation`.

    Each frame has its potential energy in all states, in columns "energy in state 0", ..., which is all that
    a free energy needs.

    Parameters
    ----------
    states
        Of the solute.
    window
        In which of them it is, counted from 0.

    Raises
    ------
    InputError
        There is no such state, or the System has no such parameters.
    """

    states: Annotated[tuple[AlchemicalState, ...], Field(min_length=2)]
    window: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _window_is_a_state(self) -> OpenMMAlchemicalSimulation:
        counted = isinstance(self.states, tuple) and isinstance(self.window, int)
        if counted and self.window >= len(self.states):
            raise InputError(f"window: {self.window} is not allowed; there are {len(self.states)} states")
        return self

    @model_validator(mode="after")
    def _solute_is_thermalised(self) -> OpenMMAlchemicalSimulation:
        if isinstance(self.dynamics, DynamicsSettings):
            self.dynamics.refuse_chains("a solute that vanishes")
        return self

    def _engine(self, choice: PlatformChoice) -> Engine:
        return _AlchemicalEngine(
            self.states,
            self.window,
            system_file=self.system_file,
            state_file=self.state_file,
            state=self.state,
            dynamics=self.dynamics,
            continues=self.continues,
            seed=self.seed,
            choice=choice,
        )


class OpenMMAlchemicalGasSimulation(OpenMMAlchemicalSimulation, OpenMMGasSimulation):
    """Langevin dynamics of one molecule in vacuum in one alchemical state, on the Reference platform."""


class _AlchemicalEngine(Engine):
    """An engine whose rows end with the energy in each state."""

    def __init__(self, states: Sequence[AlchemicalState], window: int, **inputs: Any) -> None:
        super().__init__(**inputs)
        self._states, self._window = states, window
        self._names = _set_defaults(self._system, states[window])
        if not self._names:
            raise InputError(f"system_file: it has no {' or '.join(_PARAMETERS)}; give an alchemical system")

    @property
    def columns(self) -> list[str]:
        """The names of the values in a row, with units."""
        return [*super().columns, *(f"energy in state {k} (kJ/mol)" for k in range(len(self._states)))]

    def _row(self, step: int, state: Any, *, with_pressure: bool) -> str:
        row = super()._row(step, state, with_pressure=with_pressure).rstrip("\n")
        energies = [self._energy(state) for state in self._states]
        self._set(self._states[self._window])
        return f"{row},{','.join(map(repr, energies))}\n"

    def _energy(self, state: AlchemicalState) -> float:
        self._set(state)
        energy = float(self._context.getState(energy=True).getPotentialEnergy()._value)
        return min(energy, _FORBIDDEN) if math.isfinite(energy) else _FORBIDDEN

    def _set(self, state: AlchemicalState) -> None:
        for name, value in zip(_PARAMETERS, state, strict=True):
            if name in self._names:
                self._context.setParameter(name, value)


def _set_defaults(system: Any, state: AlchemicalState) -> set[str]:
    """Let every Context of the System start in this state; return which parameters there are."""
    values, found = dict(zip(_PARAMETERS, state, strict=True)), set()
    for force in system.getForces():
        for index in range(getattr(force, "getNumGlobalParameters", int)()):
            name = force.getGlobalParameterName(index)
            if name in values:
                force.setGlobalParameterDefaultValue(index, values[name])
                found.add(name)
    return found


def read_energies(files: Sequence[Path]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times in picoseconds, shape (frames,), and energies in kJ/mol, shape (frames, states).

    Parameters
    ----------
    files
        Tables of `OpenMMAlchemicalSimulation`, in order where one was continued.

    Raises
    ------
    InputError
        A table has no energies of states.
    """
    tables = [_read_table(file) for file in files]
    return np.concatenate([table[:, 0] for table in tables]), np.concatenate(
        [table[:, 1:] for table in tables]
    )


def _read_table(file: Path) -> NDArray[np.float64]:
    with file.open(encoding="utf-8") as stream:
        header = stream.readline().strip().split(",")
        states = [index for index, name in enumerate(header) if name.startswith("energy in state ")]
        if not states:
            raise InputError(f"energies_files: {file} has no energies of alchemical states")
        return np.loadtxt(stream, delimiter=",", usecols=[header.index("time (ps)"), *states], ndmin=2)
