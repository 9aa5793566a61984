"""What a driver does at the moment, written down for whoever looks from outside."""

from time import time

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import Stage


def begin_stage(journal: Journal, what: str) -> None:
    """Write down what is being done from now on."""
    journal.write(Stage(what, time()))


def begin_purchase(journal: Journal, account: str, level: str, total: int) -> None:
    """Write down that so many labels of a level are being bought."""
    journal.write(Stage(label_stage(account, level), time(), account, level, total))


def label_stage(account: str, level: str) -> str:
    """Return the name of a purchase, as stages and steps have it.

    >>> label_stage("train", "pbe"), label_stage("pilot", "pbe")
    ('training labels of pbe', 'pilot labels of pbe')
    """
    kind = {"train": "training", "control": "control arm's"}.get(account, account)
    return f"{kind} labels of {level}"
