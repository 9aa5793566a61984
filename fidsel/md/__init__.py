"""Molecular dynamics: pools of candidates, replicas of trained models, how long they last."""

from fidsel.md.dynamics.stops import Doubt, Stops
from fidsel.md.langevin import Thermostat
from fidsel.md.physical import PhysicalRange
from fidsel.md.sampling.conformer_search import conformers
from fidsel.md.sampling.harmonic import normal_modes
from fidsel.md.sampling.pool import sample
from fidsel.md.sampling.refresh import refresh_pool
from fidsel.md.sampling.report import Sample, SampleReport, TrajectoryReport
from fidsel.md.sampling.trajectory import SamplingPlan

__all__ = [
    "Doubt",
    "PhysicalRange",
    "Sample",
    "SampleReport",
    "SamplingPlan",
    "Stops",
    "Thermostat",
    "TrajectoryReport",
    "conformers",
    "normal_modes",
    "refresh_pool",
    "sample",
]
