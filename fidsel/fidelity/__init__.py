"""Label sources, store, ledger, budget, planner and engine."""

from fidsel.fidelity.attempt import Attempt, Line, Order
from fidsel.fidelity.budget import Budget, BudgetError
from fidsel.fidelity.buyer import PurchaseEvent
from fidsel.fidelity.database import StoreError
from fidsel.fidelity.ledger import Ledger
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.lock import CampaignLock, LockError, open_store
from fidsel.fidelity.purchase import Purchase, buy
from fidsel.fidelity.source import Label, LabelError, LabelSource
from fidsel.fidelity.store import LabelStore, Statistics
from fidsel.fidelity.table import TableSource
from fidsel.fidelity.task import Engine, InlineEngine, Task

__all__ = [
    "Attempt",
    "Budget",
    "BudgetError",
    "CampaignLock",
    "Engine",
    "Fidelity",
    "InlineEngine",
    "Label",
    "LabelError",
    "LabelSource",
    "LabelStore",
    "Ledger",
    "Line",
    "LockError",
    "Order",
    "Price",
    "Purchase",
    "PurchaseEvent",
    "Statistics",
    "StoreError",
    "TableSource",
    "Task",
    "buy",
    "open_store",
]
