"""Surface tension of a liquid against its vapour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from protocols.analysis.interface import AverageSurfaceTension
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.slab import BuildSlab, OpenMMSlabSimulation
from protocols.properties.averages import applied_pressure, tables
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.boxes import check_box_shape
from protocols.properties.liquid import equilibrated_liquids, production
from protocols.randomness import derived_seed
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.systems.sources import ParameterSource

__all__ = ["SurfaceTension"]


class SurfaceTension(Property):
    """The surface tension of a liquid against its vapour, from the pressures in a slab of liquid.

    gamma = L_z / 2 <P_zz - (P_xx + P_yy) / 2>, with two surfaces normal to z: J. G. Kirkwood and F. P. Buff,
    J. Chem. Phys. 17, 338 (1949). The liquid that gives the density is put into a box three times as long and
    simulated at constant volume. Lennard-Jones interactions have their full range by particle-mesh Ewald,
    without which a cutoff takes a good part off the tension.

    A slab of fewer than some 500 molecules has surfaces so small and so near that its tension is off by a few
    percent: P. Orea, J. Lopez-Lemus and J. Alejandre, J. Chem. Phys. 123, 114702 (2005). Hence 512 molecules,
    unless the settings say otherwise; 100 ps of equilibration of the slab, in which a surface relaxes and the
    vapour fills; and a frame every 0.1 ps, since the tension of one fluctuates by more than it is.

    Parameters
    ----------
    substance
        Pure or a mixture, that is a liquid beside a thin vapour.
    state
        With a pressure, for the liquid that the slab is made of; the slab has the vapour's own.
    target
        Standard error at which to stop, such as "3 %" or "1 mN/m".
    """

    unit: ClassVar[str] = "mN/m"
    defaults: ClassVar[Mapping[str, object]] = MappingProxyType(
        {"number_of_molecules": 512, "equilibration_time": "100 ps", "output_interval": "0.1 ps"}
    )

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the average over slabs, each from an equilibrated liquid of its own."""
        applied_pressure(self)
        check_box_shape(type(self).__name__, force_field, settings)
        counts = self.first_rounds(settings) if rounds is None else rounds
        own = self.settings_for(settings).model_copy(update={"seed": derived_seed(settings.seed, "slab")})
        # The liquid of a density of as many molecules, which needs neither the time nor the frames of a slab.
        liquid = settings.with_defaults({"number_of_molecules": own.number_of_molecules})
        liquids = equilibrated_liquids(self.substance, self.state, force_field, liquid, len(counts))
        simulations = tuple(
            production(number, count, _equilibrated(number, liquid, own), own)
            for number, (count, liquid) in enumerate(zip(counts, liquids, strict=True))
        )
        return PropertyWorkflow(AverageSurfaceTension(observables_files=tables(simulations)), simulations)


def _equilibrated(
    number: int, liquid: OpenMMSimulation, settings: SimulationSettings
) -> OpenMMSlabSimulation:
    slab = BuildSlab(system_file=liquid.system_file, state_file=liquid.output.state_file)
    return OpenMMSlabSimulation(
        system_file=slab.output.system_file,
        state_file=slab.output.state_file,
        state=ThermodynamicState(temperature=liquid.state.temperature),
        simulated_time=settings.equilibration_time,
        dynamics=settings.dynamics.without_trajectory(),
        topology_file=liquid.topology_file,
        seed=derived_seed(settings.seed, "equilibration", number),
    )
