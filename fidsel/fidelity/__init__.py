"""Label sources, store, ledger, budget, planner and engine."""

from fidsel.fidelity.attempt import Attempt, Line, Order
from fidsel.fidelity.budget import Budget, BudgetError
from fidsel.fidelity.buyer import PurchaseEvent
from fidsel.fidelity.calculator import CalculatorSource
from fidsel.fidelity.database import StoreError
from fidsel.fidelity.late import Late
from fidsel.fidelity.ledger import Ledger
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.lock import CampaignLock, LockError, open_store
from fidsel.fidelity.molecule import Molecule, from_atoms, from_smiles
from fidsel.fidelity.openmm_source import MMFFSource, SystemSource
from fidsel.fidelity.purchase import Purchase, buy
from fidsel.fidelity.pyscf_source import PySCFSource
from fidsel.fidelity.source import Cause, Coverage, Label, LabelError, LabelSource, Scaling, WarmUp
from fidsel.fidelity.store import LabelStore, Statistics
from fidsel.fidelity.table import TableSource
from fidsel.fidelity.task import Engine, InlineEngine, Lasting, Task, Usage

__all__ = [
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
    "LockError",
    "MMFFSource",
    "Molecule",
    "Order",
    "Price",
    "Purchase",
    "PurchaseEvent",
    "PySCFSource",
    "Scaling",
    "Statistics",
    "StoreError",
    "SystemSource",
    "TableSource",
    "Task",
    "Usage",
    "WarmUp",
    "buy",
    "from_atoms",
    "from_smiles",
    "open_store",
]
