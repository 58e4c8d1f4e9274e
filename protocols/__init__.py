"""Protocols and workflow graphs that estimate physical properties with OpenMM."""

from protocols.analysis.combination import AverageCombination, Logarithm, WeightedSum
from protocols.analysis.fluctuations import AverageFluctuations, Response
from protocols.analysis.free_energy import AlchemicalFreeEnergy
from protocols.analysis.interface import AverageSurfaceTension
from protocols.analysis.observables import AverageObservable
from protocols.analysis.statistics import Status
from protocols.analysis.structure import radial_distribution
from protocols.analysis.transport_coefficients import AverageDiffusion, AverageViscosity
from protocols.convergence import Limits
from protocols.dynamics.gas import BuildGasMolecule, OpenMMGasSimulation
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.slab import BuildSlab, OpenMMSlabSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.dynamics.windows import OpenMMAlchemicalGasSimulation, OpenMMAlchemicalSimulation
from protocols.errors import ExecutionError, InputError, ProtocolsError
from protocols.estimate import aestimate, estimate
from protocols.export import results_frame, write_results
from protocols.graph import WorkflowGraph
from protocols.graphs.conditions import Condition, Relation
from protocols.graphs.placeholders import Collected, Iteration, Previous
from protocols.graphs.protocol import Protocol
from protocols.properties.compressibility import IsothermalCompressibility
from protocols.properties.density import Density
from protocols.properties.dielectric_constant import DielectricConstant
from protocols.properties.diffusion import SelfDiffusion
from protocols.properties.excess_volume import ExcessMolarVolume
from protocols.properties.heat_capacity import IsobaricHeatCapacity
from protocols.properties.mixing import EnthalpyOfMixing
from protocols.properties.solvation import SolvationFreeEnergy
from protocols.properties.surface_tension import SurfaceTension
from protocols.properties.thermal_expansion import ThermalExpansion
from protocols.properties.vaporization import EnthalpyOfVaporization
from protocols.properties.viscosity import ShearViscosity
from protocols.report import write_report
from protocols.result import PropertyResult
from protocols.running.execution import execute_in
from protocols.running.groups import ConditionalGroup
from protocols.schema import workflow_schema
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Component, Role, Substance
from protocols.systems.alchemy import BuildAlchemicalSystem
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.rescaling import ScaleToDensity
from protocols.systems.sources import ParameterSource

__all__ = [
    "AlchemicalFreeEnergy",
    "AverageCombination",
    "AverageDiffusion",
    "AverageFluctuations",
    "AverageObservable",
    "AverageSurfaceTension",
    "AverageViscosity",
    "BuildAlchemicalSystem",
    "BuildCoordinatesPackmol",
    "BuildGasMolecule",
    "BuildOpenMMSystem",
    "BuildSlab",
    "Collected",
    "Component",
    "Condition",
    "ConditionalGroup",
    "Density",
    "DielectricConstant",
    "EnthalpyOfMixing",
    "EnthalpyOfVaporization",
    "ExcessMolarVolume",
    "ExecutionError",
    "InputError",
    "IsobaricHeatCapacity",
    "IsothermalCompressibility",
    "Iteration",
    "Limits",
    "Logarithm",
    "OpenMMAlchemicalGasSimulation",
    "OpenMMAlchemicalSimulation",
    "OpenMMEnergyMinimisation",
    "OpenMMForceField",
    "OpenMMGasSimulation",
    "OpenMMSimulation",
    "OpenMMSlabSimulation",
    "OpenMMTransportSimulation",
    "ParameterSource",
    "Previous",
    "PropertyResult",
    "Protocol",
    "ProtocolsError",
    "Relation",
    "Response",
    "Role",
    "ScaleToDensity",
    "SelfDiffusion",
    "ShearViscosity",
    "SimulationSettings",
    "SolvationFreeEnergy",
    "Status",
    "Substance",
    "SurfaceTension",
    "ThermalExpansion",
    "ThermodynamicState",
    "WeightedSum",
    "WorkflowGraph",
    "aestimate",
    "estimate",
    "execute_in",
    "radial_distribution",
    "results_frame",
    "workflow_schema",
    "write_report",
    "write_results",
]
