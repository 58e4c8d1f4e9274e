"""Protocols and workflow graphs that estimate physical properties with OpenMM."""

from .analysis.combination import AverageCombination, Logarithm, WeightedSum
from .analysis.fluctuations import AverageFluctuations, Response
from .analysis.free_energy import AlchemicalFreeEnergy
from .analysis.interface import AverageSurfaceTension
from .analysis.observables import AverageObservable
from .analysis.statistics import Status
from .analysis.structure import radial_distribution
from .analysis.transport_coefficients import AverageDiffusion, AverageViscosity
from .calculations.calculation import Calculation, read_calculation
from .convergence import Limits
from .data_sets.comparison import Comparison
from .data_sets.estimating import estimate_data_set
from .data_sets.measurement import DataSet, Measurement
from .data_sets.tables import read_data_set, write_data_set
from .dynamics.gas import BuildGasMolecule, OpenMMGasSimulation
from .dynamics.minimisation import OpenMMEnergyMinimisation
from .dynamics.simulation import OpenMMSimulation
from .dynamics.slab import BuildSlab, OpenMMSlabSimulation
from .dynamics.transport import OpenMMTransportSimulation
from .dynamics.windows import OpenMMAlchemicalGasSimulation, OpenMMAlchemicalSimulation
from .errors import ExecutionError, InputError, ProtocolsError
from .estimate import aestimate, estimate
from .export import results_frame, write_results
from .graph import WorkflowGraph
from .graphs.conditions import Condition, Relation
from .graphs.placeholders import Collected, Iteration, Previous
from .graphs.protocol import Protocol
from .properties.compressibility import IsothermalCompressibility
from .properties.density import Density
from .properties.dielectric_constant import DielectricConstant
from .properties.diffusion import SelfDiffusion
from .properties.excess_volume import ExcessMolarVolume
from .properties.heat_capacity import IsobaricHeatCapacity
from .properties.mixing import EnthalpyOfMixing
from .properties.solvation import SolvationFreeEnergy
from .properties.surface_tension import SurfaceTension
from .properties.thermal_expansion import ThermalExpansion
from .properties.vaporization import EnthalpyOfVaporization
from .properties.viscosity import ShearViscosity
from .report import write_report
from .report.radial import plot_radial_distribution
from .result import PropertyResult
from .running.execution import execute_in
from .running.groups import ConditionalGroup
from .schema import workflow_schema
from .settings import SimulationSettings
from .state import ThermodynamicState
from .substance import Component, Role, Substance
from .systems.alchemy import BuildAlchemicalSystem
from .systems.combined import CombinedForceField
from .systems.coordinates import BuildCoordinatesPackmol
from .systems.files import AmberFiles, CharmmFiles, GromacsFiles, SystemFiles
from .systems.forcefield import OpenMMForceField
from .systems.gaff import GaffForceField
from .systems.given import TakeCoordinates
from .systems.molecule_parameters import AssignGaffParameters
from .systems.parameterise import BuildOpenMMSystem
from .systems.rescaling import ScaleToDensity
from .systems.sites import SiteParameters, force_field_of_sites
from .systems.smirnoff import AssignSmirnoffParameters, SmirnoffForceField
from .systems.sources import ParameterSource

__all__ = [
    "AlchemicalFreeEnergy",
    "AmberFiles",
    "AssignGaffParameters",
    "AssignSmirnoffParameters",
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
    "Calculation",
    "CharmmFiles",
    "Collected",
    "CombinedForceField",
    "Comparison",
    "Component",
    "Condition",
    "ConditionalGroup",
    "DataSet",
    "Density",
    "DielectricConstant",
    "EnthalpyOfMixing",
    "EnthalpyOfVaporization",
    "ExcessMolarVolume",
    "ExecutionError",
    "GaffForceField",
    "GromacsFiles",
    "InputError",
    "IsobaricHeatCapacity",
    "IsothermalCompressibility",
    "Iteration",
    "Limits",
    "Logarithm",
    "Measurement",
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
    "SiteParameters",
    "SmirnoffForceField",
    "SolvationFreeEnergy",
    "Status",
    "Substance",
    "SurfaceTension",
    "SystemFiles",
    "TakeCoordinates",
    "ThermalExpansion",
    "ThermodynamicState",
    "WeightedSum",
    "WorkflowGraph",
    "aestimate",
    "estimate",
    "estimate_data_set",
    "execute_in",
    "force_field_of_sites",
    "plot_radial_distribution",
    "radial_distribution",
    "read_calculation",
    "read_data_set",
    "results_frame",
    "workflow_schema",
    "write_data_set",
    "write_report",
    "write_results",
]
