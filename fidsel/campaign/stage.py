"""What a driver does at the moment, written down for whoever looks from outside."""

from time import time
from typing import Final

from fidsel.fidelity.store.labels import LabelStore

RECORD: Final = "stage"
"""Record of the store that holds the stage, when it began and, for labels, how many are wanted."""


def begin_stage(store: LabelStore, what: str, **more: str | int) -> None:
    """Write down what is being done from now on."""
    store.put_record(RECORD, {"what": what, "since": time(), **more})


def label_stage(account: str, level: str) -> str:
    """Return the name of a purchase, as stages and steps have it.

    >>> label_stage("train", "pbe"), label_stage("pilot", "pbe")
    ('training labels of pbe', 'pilot labels of pbe')
    """
    kind = {"train": "training", "control": "control arm's"}.get(account, account)
    return f"{kind} labels of {level}"
