"""Force fields behind one contract."""

from fidsel.models.calculator import ForceFieldCalculator
from fidsel.models.contract import Fittable, ForceField, Prediction
from fidsel.models.delta import Delta
from fidsel.models.egnn import EGNN
from fidsel.models.ensemble import Disagreement, Ensemble
from fidsel.models.files import read_state, write_state
from fidsel.models.gemnet import GemNet
from fidsel.models.mace import MACE
from fidsel.models.network import Network, NetworkForceField
from fidsel.models.offset import Offset
from fidsel.models.painn import PaiNN
from fidsel.models.predictions import Predictions
from fidsel.models.reference import EnergyReference
from fidsel.models.registry import MODELS, load
from fidsel.models.schnet import SchNet
from fidsel.models.sgdml import SGDML
from fidsel.models.source import ModelSource
from fidsel.models.sum import Sum

MODELS |= {
    model.kind: model
    for model in (Delta, EGNN, Ensemble, GemNet, MACE, Offset, PaiNN, Predictions, SchNet, SGDML, Sum)
}

__all__ = [
    "EGNN",
    "MACE",
    "MODELS",
    "SGDML",
    "Delta",
    "Disagreement",
    "EnergyReference",
    "Ensemble",
    "Fittable",
    "ForceField",
    "ForceFieldCalculator",
    "GemNet",
    "ModelSource",
    "Network",
    "NetworkForceField",
    "Offset",
    "PaiNN",
    "Prediction",
    "Predictions",
    "SchNet",
    "Sum",
    "load",
    "read_state",
    "write_state",
]
