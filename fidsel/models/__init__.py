"""Force fields behind one contract."""

from fidsel.fidelity.sources.registry import SOURCES
from fidsel.models.calculator import ForceFieldCalculator
from fidsel.models.combinations.average import Average
from fidsel.models.combinations.baseline import Baseline
from fidsel.models.combinations.by_system import BySystem
from fidsel.models.combinations.ensemble import Ensemble
from fidsel.models.combinations.offset import Offset
from fidsel.models.combinations.sum import Sum
from fidsel.models.contract import Disagreement, Fittable, ForceField, Prediction
from fidsel.models.files import read_state, write_state
from fidsel.models.gemnet.network import GemNet
from fidsel.models.mace.adapter import MACE
from fidsel.models.networks.base import Network, NetworkForceField
from fidsel.models.networks.egnn import EGNN
from fidsel.models.networks.painn import PaiNN
from fidsel.models.networks.schnet import SchNet
from fidsel.models.predictions import Predictions
from fidsel.models.reference import EnergyReference
from fidsel.models.registry import MODELS, load
from fidsel.models.sgdml.force_field import SGDML
from fidsel.models.source import ModelSource

SOURCES["model"] = ModelSource
MODELS |= {
    model.kind: model
    for model in (
        Average,
        Baseline,
        BySystem,
        EGNN,
        Ensemble,
        GemNet,
        MACE,
        Offset,
        PaiNN,
        Predictions,
        SchNet,
        SGDML,
        Sum,
    )
}

__all__ = [
    "EGNN",
    "MACE",
    "MODELS",
    "SGDML",
    "Average",
    "Baseline",
    "BySystem",
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
