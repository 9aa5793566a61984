"""Rounds to MLflow, and MLflow's page of them; a server that was away is caught up later."""

from fidsel.tracking.selection import SelectionTracker
from fidsel.tracking.server import serve
from fidsel.tracking.store import Store
from fidsel.tracking.tracker import Tracker

__all__ = ["SelectionTracker", "Store", "Tracker", "serve"]
