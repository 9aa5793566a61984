"""Force fields behind one contract."""

from fidsel.models.calculator import ForceFieldCalculator
from fidsel.models.contract import Fittable, ForceField, Prediction
from fidsel.models.files import read_state, write_state
from fidsel.models.registry import MODELS, load
from fidsel.models.sgdml import SGDML
from fidsel.models.source import ModelSource
from fidsel.models.sum import Sum

MODELS |= {model.kind: model for model in (SGDML, Sum)}

__all__ = [
    "MODELS",
    "SGDML",
    "Fittable",
    "ForceField",
    "ForceFieldCalculator",
    "ModelSource",
    "Prediction",
    "Sum",
    "load",
    "read_state",
    "write_state",
]
