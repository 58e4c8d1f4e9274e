"""Sums of averages: of several columns frame by frame, and of independent simulations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from protocols.analysis.observables import AverageObservable, ObservablesFiles, read_replicas
from protocols.analysis.statistics import MINIMUM_DISCARD, Status, pooled_mean
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.quantities import AnyQuantity, Quantity, describe_quantity, registry
from workflow_backends.resources import ComputeResources

__all__ = ["AverageCombination", "Logarithm", "WeightedSum"]


class AverageCombination(Protocol):
    """Average a sum of observables, each times a coefficient, that is formed frame by frame.

    The columns of a table are correlated with each other; the error of the sum's average has all of that.

    Parameters
    ----------
    observables
        Names of columns, such as "potential energy" and "volume".
    coefficients
        One each; all products have one dimension, and the average has the unit of the first.
    observables_files
        Tables of `OpenMMSimulation`, with frames at equal intervals: one a replica, or several in order where
        a replica was continued.
    minimum_discard
        Fraction of each replica that is left out at its start whatever is detected.

    Raises
    ------
    InputError
        A table has no such column, there is not one coefficient each, or the products cannot be added.
    """

    observables: Annotated[tuple[str, ...], Field(min_length=1)]
    coefficients: tuple[AnyQuantity, ...]
    observables_files: ObservablesFiles
    minimum_discard: Annotated[float, Field(ge=0, lt=1)] = MINIMUM_DISCARD

    class Outputs(AverageObservable.Outputs):
        """As those of `AverageObservable`."""

    @model_validator(mode="after")
    def _one_coefficient_each(self) -> AverageCombination:
        _check_lengths(self, "observables", "coefficients")
        return self

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Average."""
        columns, units, interval = read_replicas(self.observables_files, self.observables)
        products = [
            registry.Quantity(1.0, unit) * coefficient
            for unit, coefficient in zip(units, self.coefficients, strict=True)
        ]
        factors = np.array(_alike(products, self.observables))
        sums = [factors @ np.stack(replica) for replica in zip(*columns, strict=True)]
        estimate = pooled_mean(sums, self.minimum_discard)
        return self.Outputs.of(estimate, f"{products[0].units:D}", interval)


class Logarithm(Protocol):
    """Take the natural logarithm of an average.

    Parameters
    ----------
    value, standard_error, n_effective, status, reason
        The outputs of the average.
    reference
        By which it is divided first.

    Raises
    ------
    InputError
        The average cannot be divided by the reference, or is not positive.
    """

    value: AnyQuantity
    standard_error: AnyQuantity | None
    n_effective: float
    status: Status
    reason: str
    reference: AnyQuantity

    class Outputs(Protocol.Outputs):
        """The logarithm.

        Parameters
        ----------
        value, standard_error
            Pure numbers; the error is that of the average, relative to it.
        n_effective, status, reason
            Those of the average.
        """

        value: AnyQuantity
        standard_error: AnyQuantity | None
        n_effective: float
        status: Status
        reason: str

    @classmethod
    def of_average(cls, average: Protocol, reference: Quantity) -> Logarithm:
        """Return the logarithm of the outputs of an average.

        Parameters
        ----------
        average
            A protocol with the outputs of `AverageObservable`.
        reference
            By which it is divided first.
        """
        outputs = average.output
        return cls(
            value=outputs.value,
            standard_error=outputs.standard_error,
            n_effective=outputs.n_effective,
            status=outputs.status,
            reason=outputs.reason,
            reference=reference,
        )

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Take the logarithm."""
        ratio = self.value / self.reference
        if not ratio.is_compatible_with("dimensionless") or ratio.to("dimensionless").magnitude <= 0:
            raise InputError(
                f"value: {describe_quantity(self.value)} has no logarithm relative to "
                f"{describe_quantity(self.reference)}; give a positive one of its dimension"
            )
        error = self.standard_error
        return self.Outputs(
            value=registry.Quantity(math.log(ratio.to("dimensionless").magnitude), "dimensionless"),
            standard_error=None if error is None else (error / self.value).to("dimensionless"),
            n_effective=self.n_effective,
            status=self.status,
            reason=self.reason,
        )


class WeightedSum(Protocol):
    """Add the averages of independent simulations, each times a weight.

    The standard errors are added in quadrature, which is right for independent averages only: give each
    simulation to one average.

    Parameters
    ----------
    names
        What each average is of, for messages.
    weights
        One each; all products have one dimension.
    values, standard_errors, n_effective, statuses, reasons
        The outputs of the averages.
    constant
        Added to the sum.

    Raises
    ------
    InputError
        The inputs are not of one length, or the products cannot be added.
    """

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    weights: tuple[AnyQuantity, ...]
    values: tuple[AnyQuantity, ...]
    standard_errors: tuple[AnyQuantity | None, ...]
    n_effective: tuple[float, ...]
    statuses: tuple[Status, ...]
    reasons: tuple[str, ...]
    constant: AnyQuantity | None = None

    class Outputs(Protocol.Outputs):
        """The sum.

        Parameters
        ----------
        value, standard_error
            In the unit of the first product. None when an average that is not known exactly has no error.
        n_effective
            The smallest of the averages.
        status, reason
            Converged when all averages are; otherwise the first other status, and what is wrong, by name.
        """

        value: AnyQuantity
        standard_error: AnyQuantity | None
        n_effective: float
        status: Status
        reason: str

    @classmethod
    def of_averages(
        cls, terms: Iterable[tuple[str, Quantity, Protocol]], constant: Quantity | None = None
    ) -> WeightedSum:
        """Return the sum of the outputs of averages.

        Parameters
        ----------
        terms
            Name, weight, and a protocol with the outputs of `AverageObservable`.
        constant
            Added to the sum.
        """
        names, weights, averages = zip(*terms, strict=True)
        return cls(
            names=names,
            weights=weights,
            values=tuple(average.output.value for average in averages),
            standard_errors=tuple(average.output.standard_error for average in averages),
            n_effective=tuple(average.output.n_effective for average in averages),
            statuses=tuple(average.output.status for average in averages),
            reasons=tuple(average.output.reason for average in averages),
            constant=constant,
        )

    @model_validator(mode="after")
    def _one_of_each(self) -> WeightedSum:
        others = ("weights", "values", "standard_errors", "n_effective", "statuses", "reasons")
        _check_lengths(self, "names", *others)
        return self

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Add."""
        terms = [weight * value for weight, value in zip(self.weights, self.values, strict=True)]
        names = list(self.names)
        if self.constant is not None:
            terms, names = [*terms, self.constant], [*names, "constant"]
        unit = terms[0].units
        weak = [
            (name, reason)
            for name, status, reason in zip(self.names, self.statuses, self.reasons, strict=True)
            if status is not Status.converged
        ]
        return self.Outputs(
            value=registry.Quantity(math.fsum(_alike(terms, names)), unit),
            standard_error=self._standard_error(unit),
            n_effective=min(self.n_effective),
            status=next(
                (status for status in self.statuses if status is not Status.converged), Status.converged
            ),
            reason="; ".join(f"{name}: {reason}" for name, reason in weak),
        )

    def _standard_error(self, unit: Any) -> Quantity | None:
        errors = []
        for weight, error, status in zip(self.weights, self.standard_errors, self.statuses, strict=True):
            if error is not None:
                errors.append(float((weight * error).to(unit).magnitude))
            elif status is not Status.converged:  # a converged average without an error is known exactly
                return None
        return registry.Quantity(math.hypot(*errors), unit) if errors else None


def _check_lengths(protocol: Protocol, first: str, *others: str) -> None:
    """Raise InputError unless the inputs have as many items as the first; what is wired is known later."""
    inputs = [(name, getattr(protocol, name)) for name in (first, *others)]
    counts = {name: len(value) for name, value in inputs if isinstance(value, tuple)}
    for name in others:
        if first in counts and counts.get(name, counts[first]) != counts[first]:
            raise InputError(
                f"{name}: {counts[name]} given; give one for each of the {counts[first]} {first}"
            )


def _alike(products: list[Quantity], names: Iterable[str]) -> list[float]:
    """Return the magnitudes of products in the unit of the first."""
    unit = products[0].units
    for name, product in zip(names, products, strict=True):
        if not product.is_compatible_with(unit):
            raise InputError(
                f"{name}: {describe_quantity(product)} cannot be added to {describe_quantity(products[0])}; "
                "give coefficients that make one dimension of all"
            )
    return [float(product.to(unit).magnitude) for product in products]
