"""Protocols and workflow graphs that estimate physical properties with OpenMM."""

from protocols.alchemy import BuildAlchemicalSystem
from protocols.analysis import AverageObservable
from protocols.combination import AverageCombination, Logarithm, WeightedSum
from protocols.conditions import Condition, Relation
from protocols.convergence import Limits
from protocols.coordinates import BuildCoordinatesPackmol
from protocols.errors import ExecutionError, InputError, ProtocolsError
from protocols.estimate import aestimate, estimate
from protocols.execution import execute_in
from protocols.fluctuations import AverageFluctuations, Response
from protocols.forcefield import OpenMMForceField
from protocols.free_energy import AlchemicalFreeEnergy
from protocols.gas import BuildGasMolecule, OpenMMGasSimulation
from protocols.graph import WorkflowGraph
from protocols.groups import ConditionalGroup
from protocols.interface import AverageSurfaceTension
from protocols.minimisation import OpenMMEnergyMinimisation
from protocols.parameterise import BuildOpenMMSystem
from protocols.placeholders import Collected, Iteration, Previous
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
from protocols.protocol import Protocol
from protocols.rescaling import ScaleToDensity
from protocols.result import PropertyResult
from protocols.schema import workflow_schema
from protocols.settings import SimulationSettings
from protocols.simulation import OpenMMSimulation
from protocols.slab import BuildSlab, OpenMMSlabSimulation
from protocols.state import ThermodynamicState
from protocols.statistics import Status
from protocols.structure import radial_distribution
from protocols.substance import Component, Role, Substance
from protocols.transport import OpenMMTransportSimulation
from protocols.transport_analysis import AverageDiffusion, AverageViscosity
from protocols.windows import OpenMMAlchemicalGasSimulation, OpenMMAlchemicalSimulation

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
    "workflow_schema",
]
