"""Molecular dynamics: pools of candidates, replicas of trained models, how long they last."""

from fidsel.md.conformer_search import conformers
from fidsel.md.harmonic import normal_modes
from fidsel.md.langevin import Thermostat
from fidsel.md.physical import PhysicalRange
from fidsel.md.pool import sample
from fidsel.md.refresh import refresh_pool
from fidsel.md.report import Sample, SampleReport, TrajectoryReport
from fidsel.md.stops import Doubt, Stops
from fidsel.md.trajectory import SamplingPlan

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
