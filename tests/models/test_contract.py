"""The contract of a force field, checked for every built-in model."""

from collections.abc import Callable
from functools import partial

import pytest
from architectures import ARCHITECTURES, network
from morse_molecule import SWAP, frames

from fidsel.models import MODELS, SGDML, EnergyReference, Ensemble, ForceField, Offset, Sum
from fidsel.testing import check_fittable, check_force_field
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Stage


def fitted_sgdml(seed: int = 0) -> ForceField:
    return SGDML([10.0]).fit(frames(20, seed), frames(0))[0]


def trained(kind: str) -> ForceField:
    stage = Stage(steps=5, batch=4, validate_every=5)
    return fit(network(kind), frames(8), frames(4, seed=1), stage, seed=0)[0]


BUILDERS: dict[str, Callable[[], ForceField]] = {
    "ensemble": lambda: Ensemble([network("painn", seed) for seed in range(2)]),
    "offset": lambda: Offset(EnergyReference({1: -13.0, 6: -1030.0, 8: -2040.0}, 3), "morse"),
    "sgdml": fitted_sgdml,
    "sum": lambda: Sum([fitted_sgdml(0), fitted_sgdml(1)], "morse"),
} | {kind: partial(trained, kind) for kind in ARCHITECTURES}
APART = {"baseline", "mace", "predictions"}
"""A loaded Δ-model has no source, a table no gradients, MACE needs an extra and treats crystals: their own
tests run the checks that hold."""


@pytest.mark.parametrize("kind", sorted(set(MODELS) - APART))
def test_built_in_models_keep_the_contract(kind: str) -> None:
    model = BUILDERS[kind]()
    assert model.kind == kind
    check_force_field(model, frames(3, seed=5), swap=SWAP, periodic=kind == "offset")


def test_sgdml_is_fittable() -> None:
    check_fittable(SGDML([5.0, 10.0, 20.0]), frames(20), frames(10, seed=1))


@pytest.mark.parametrize("kind", sorted(set(MODELS) - APART))
def test_built_in_models_read_well(kind: str) -> None:
    model = BUILDERS[kind]()
    text = repr(model)
    assert text.startswith(type(model).__name__)
    assert f"level {model.level!r})" in text
    assert "object at" not in text
    assert "\n" not in text
