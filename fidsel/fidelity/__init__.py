"""Label sources, store, ledger, budget, planner and engine."""

from fidsel.fidelity.attempt import Attempt, Line, Order
from fidsel.fidelity.budget import Budget, BudgetError
from fidsel.fidelity.buying.late import Late
from fidsel.fidelity.buying.outcome import PurchaseEvent
from fidsel.fidelity.buying.purchase import Purchase, buy
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.task import Engine, InlineEngine, Lasting, Task, Usage
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.molecules.molecule import Molecule, from_atoms, from_smiles
from fidsel.fidelity.source import Cause, Coverage, Label, LabelError, LabelSource, Ready, Scaling, WarmUp
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.openmm import MMFFSource, SystemSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.registry import SOURCES
from fidsel.fidelity.sources.table import TableSource
from fidsel.fidelity.sources.tblite import TBLiteSource
from fidsel.fidelity.store.database import StoreError
from fidsel.fidelity.store.labels import LabelStore, Statistics
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.lock import CampaignLock, LockError, open_store

__all__ = [
    "SOURCES",
    "Attempt",
    "Budget",
    "BudgetError",
    "CalculatorSource",
    "CampaignLock",
    "Cause",
    "Coverage",
    "Engine",
    "Fidelity",
    "InlineEngine",
    "Label",
    "LabelError",
    "LabelSource",
    "LabelStore",
    "Lasting",
    "Late",
    "Ledger",
    "Line",
    "LocalEngine",
    "LockError",
    "MMFFSource",
    "Molecule",
    "Order",
    "Price",
    "Purchase",
    "PurchaseEvent",
    "PySCFSource",
    "Ready",
    "Scaling",
    "Statistics",
    "StoreError",
    "SystemSource",
    "TBLiteSource",
    "TableSource",
    "Task",
    "Usage",
    "WarmUp",
    "buy",
    "from_atoms",
    "from_smiles",
    "open_store",
]
