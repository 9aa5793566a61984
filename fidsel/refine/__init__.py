"""Refinement of a trained network for systems unlike those it has learnt from, and how unlike these are."""

from fidsel.refine.adaptation import Adaptation, Adapted, adapt
from fidsel.refine.diagnostics import Shift, Shifted, SystemShift, shift
from fidsel.refine.head import with_prior_head
from fidsel.refine.prior import Prior, PriorError, always, mmff94
from fidsel.refine.radius import Radius, choose_radius, training_spectrum
from fidsel.refine.record import Compared, Refinement, SystemRecord
from fidsel.refine.refinement import Means, refine
from fidsel.refine.spectrum import MeanSpectrum, laplacian_spectrum
from fidsel.refine.system import System, systems
from fidsel.refine.trend import ErrorShift, Trend, error_shift

__all__ = [
    "Adaptation",
    "Adapted",
    "Compared",
    "ErrorShift",
    "MeanSpectrum",
    "Means",
    "Prior",
    "PriorError",
    "Radius",
    "Refinement",
    "Shift",
    "Shifted",
    "System",
    "SystemRecord",
    "SystemShift",
    "Trend",
    "adapt",
    "always",
    "choose_radius",
    "error_shift",
    "laplacian_spectrum",
    "mmff94",
    "refine",
    "shift",
    "systems",
    "training_spectrum",
    "with_prior_head",
]
