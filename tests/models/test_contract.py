"""The contract of a force field, checked for every built-in model."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from architectures import ARCHITECTURES, network
from morse_molecule import SWAP, frames

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import (
    MODELS,
    SGDML,
    Average,
    Baseline,
    BySystem,
    Disagreement,
    EnergyReference,
    Ensemble,
    ForceField,
    Offset,
    Sum,
)
from fidsel.testing import check_fittable, check_force_field
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Stage


def fitted_sgdml(seed: int = 0) -> ForceField:
    return SGDML([10.0]).fit(frames(20, seed), frames(0))[0]


def trained(kind: str) -> ForceField:
    stage = Stage(steps=5, batch=4, validate_every=5)
    return fit(network(kind), frames(8), frames(4, seed=1), stage, seed=0)[0]


BUILDERS: dict[str, Callable[[], ForceField]] = {
    "average": lambda: Average([fitted_sgdml(), trained("painn")], [0.75, 0.25]),
    "by-system": lambda: BySystem(network("painn"), {}),
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
    for ask in (model.predict, model.extrapolation):
        with pytest.raises(UsageError, match=r"frames must be fidsel\.data\.Frames, got ASE Atoms"):
            ask(frames(1)[0])  # type: ignore[arg-type]


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


class Own(SGDML):
    """A user's own model that has features and knows how unsure it is."""

    kind = "own-abilities"

    def latent(self, frames: Frames) -> FloatArray:
        return frames.positions**2

    def disagreement(self, frames: Frames, level: str | None = None) -> Disagreement:  # noqa: ARG002
        return Disagreement(np.ones(len(frames)), np.ones_like(frames.positions), np.full(len(frames), 3.0))


TEST, OWN = frames(5, 3), Own([10.0])


def test_parts_that_can_do_something_do_it_for_the_whole() -> None:
    whole, delta = Sum([SGDML(), OWN, OWN]), Baseline(OWN)
    assert whole.has_latent
    assert whole.disagrees
    assert delta.has_latent
    assert delta.disagrees
    np.testing.assert_array_equal(whole.latent(TEST), np.hstack([TEST.positions**2] * 2))
    np.testing.assert_array_equal(delta.latent(TEST), TEST.positions**2)
    apart = whole.disagreement(TEST)
    np.testing.assert_allclose(apart.frame_forces, np.sqrt(18.0))
    np.testing.assert_allclose(apart.energy, np.sqrt(2.0))
    np.testing.assert_allclose(delta.disagreement(TEST).forces, 1.0)


def test_the_covariance_of_a_sum_is_that_of_its_correction() -> None:
    first, second = (
        SGDML([sigma], 1e-6).fit(frames(6, seed), frames(0))[0] for seed, sigma in ((0, 10.0), (1, 20.0))
    )
    for whole in (Sum([first, second, Offset.matching(TEST)]), Baseline(second)):
        assert whole.has_covariance
        np.testing.assert_array_equal(whole.covariance(TEST), second.covariance(TEST))
    assert not Offset.matching(TEST).has_covariance
    with pytest.raises(UsageError, match=r"an? offset model has no covariance.*take model\.kind = 'sgdml'"):
        Offset.matching(TEST).covariance(TEST)


def test_features_of_members_stand_side_by_side_where_all_have_some() -> None:
    assert Ensemble([OWN, OWN]).latent(TEST).shape == (len(TEST.numbers), 6)
    assert not Ensemble([OWN, SGDML([10.0])]).has_latent
    with pytest.raises(UsageError, match="a sgdml model has no latent features"):
        Ensemble([OWN, SGDML([10.0])]).latent(TEST)


def test_what_a_model_cannot_do_is_named() -> None:
    kernel = SGDML([10.0])
    assert not kernel.has_latent
    assert not kernel.disagrees
    assert not kernel.needs_source
    with pytest.raises(UsageError, match=r"a sum model has no latent features.*take model\.kind = 'painn'"):
        Sum([kernel]).latent(TEST)
    with pytest.raises(UsageError, match=r"a sgdml model has no members that could disagree: take"):
        kernel.disagreement(TEST)
    with pytest.raises(UsageError, match="a sgdml model computes no other level of theory"):
        kernel.with_source(None)  # type: ignore[arg-type]


def test_models_that_keep_their_training_frames() -> None:
    trained_on = frames(20)
    kernel = fitted_sgdml()
    for model in (kernel, Sum([kernel, kernel]), Ensemble([kernel, kernel]), Baseline(kernel)):
        kept = model.training_frames
        assert kept is not None
        assert set(kept.ids) == set(trained_on.ids)
    assert network("painn").training_frames is None
    assert Sum([kernel, network("painn")]).training_frames is None


def test_a_kernel_corrects_with_the_symmetries_of_the_model_before() -> None:
    before = fitted_sgdml()
    ready = SGDML().correcting(before)
    assert isinstance(ready, SGDML)
    assert isinstance(before, SGDML)
    assert (ready.solver, ready.symmetries) == ("quick", before.permutations.tolist())
    assert OWN.correcting(before) is OWN
    assert SGDML(solver="exact").correcting(None).state()[0]["solver"] == "exact"
