"""Small models and trainings that fail; a module of their own so that worker processes can import it."""

import os

from fidsel.exceptions import FidselError, UsageError
from fidsel.models import SGDML, Average, Ensemble, PaiNN
from fidsel.training import Trained


def kernel(seed: int) -> SGDML:
    return SGDML(sigmas=(10.0,))


def network(seed: int) -> PaiNN:
    return PaiNN(features=8, radial=4, layers=1, seed=seed)


def committee(seed: int) -> Ensemble:
    return Ensemble.of(kernel, 3, seed)


def mixture(seed: int) -> Average:
    return Average([kernel(seed), network(seed)])


def die(text: str) -> Trained:
    os._exit(int(text))


def refuse(text: str) -> Trained:
    raise UsageError(text)


def fail(text: str) -> Trained:
    raise FidselError(text)
