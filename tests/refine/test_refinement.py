from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from ase.calculators.fd import calculate_numerical_forces
from spring_systems import KNOWN, Springs, painn, shaken, training

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import Baseline, BySystem, NetworkForceField, Offset, load
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.ranges import ExtrapolationWarning
from fidsel.models.reference import EnergyReference
from fidsel.refine.adaptation import Adaptation
from fidsel.refine.prior import Prior, always, mmff94
from fidsel.refine.refinement import Means, head_of, refine

HOW = Adaptation(steps=60, batch=8, check_every=20)
MEANS = Means(prior=always(Springs()), how=HOW)
STRANGE = shaken("SiH4", 6, 1)


def both() -> Frames:
    return shaken("CH3OH", 16, 3) + shaken("CH3CH2OH", 16, 4)


def digest(model: NetworkForceField) -> list[torch.Tensor]:
    return [value.clone() for value in model.network.state_dict().values()]


def test_systems_of_different_size_are_refined_in_one_call_each_from_the_same_model(
    family: NetworkForceField, tmp_path: Path
) -> None:
    before, frames = digest(family), both()
    found = refine(family, frames, MEANS)
    assert all(torch.equal(one, two) for one, two in zip(before, digest(family), strict=True))
    assert [(one.name, one.frames, one.status) for one in found.systems] == [
        ("CH4O", 16, "refined"),
        ("C2H6O", 16, "refined"),
    ]
    for record in found.systems:
        assert record.compared is not None
        assert record.compared.after.mean() < 0.5 * record.compared.before.mean()
        assert record.compared.better == 1.0
        assert record.prior_error is not None
        assert record.prior_error[1] < 0.5 * record.prior_error[0]
        assert set(record.seconds or {}) == {"prior", "radius", "steps"}
    alone = refine(family, frames[16:], MEANS)
    np.testing.assert_array_equal(
        alone.model.predict(frames[16:]).forces, found.model.predict(frames[16:]).forces
    )
    again = load(found.model.save(tmp_path))
    assert isinstance(again, BySystem)
    np.testing.assert_array_equal(again.predict(frames).forces, found.model.predict(frames).forces)
    others = training("accurate", 2)
    np.testing.assert_array_equal(again.predict(others).forces, family.predict(others).forces)
    assert isinstance(again.common, NetworkForceField)
    assert all(torch.equal(one, two) for one, two in zip(before, digest(again.common), strict=True))


def test_the_frames_a_prior_error_stays_large_on_are_candidates(family: NetworkForceField) -> None:
    frames = both()
    found = refine(family, frames, MEANS)
    labelled = shaken("CH3OH", 16, 3, "prior") + shaken("CH3CH2OH", 16, 4, "prior")
    gap = np.linalg.norm(found.model.predict(frames, "prior").forces - labelled.forces, axis=1)
    np.testing.assert_allclose(found.prior_errors, frames.mean_per_frame(gap), rtol=1e-6)
    assert found.candidates(3) == np.argsort(-found.prior_errors)[:3].tolist()


@pytest.mark.parametrize("cutoff", [None, 3.0, 5.5])
def test_forces_are_the_slope_of_the_energy_as_ase_sees_it(
    family: NetworkForceField, cutoff: float | None
) -> None:
    precise = family.to(dtype=torch.float64)
    start = precise if cutoff is None else precise.with_cutoff(cutoff)
    found = refine(start, both(), MEANS)
    assert found.systems[0].status == "refined"
    atoms = shaken("CH3OH", 1, 7)[0]
    atoms.calc = found.model.calculator()
    with pytest.warns(ExtrapolationWarning, match="never seen together"):  # by the accurate level
        forces = atoms.get_forces()
    slope = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 4])
    np.testing.assert_allclose(forces[[0, 4]], slope, atol=1e-5)


def harmful(what: str) -> Callable[[Frames], Springs]:
    """Return a prior whose forces follow no surface: none that carries over to other frames."""

    class Harmful(Springs):
        def label(self, atoms):  # type: ignore[no-untyped-def]
            rng = np.random.default_rng(crc32(atoms.positions.tobytes()))
            found = super().label(atoms)
            return type(found)(found.energy, 20 * rng.normal(size=atoms.positions.shape))

    return always(Harmful(what))  # type: ignore[return-value]


def test_the_guard_keeps_the_model_from_a_harmful_prior(family: NetworkForceField) -> None:
    fast = Adaptation(steps=60, batch=8, check_every=20, learning_rate=1e-4)
    guarded = refine(family, both(), Means(prior=harmful("prior"), how=fast))
    assert [one.status for one in guarded.systems] == ["kept", "kept"]
    assert any("none was taken" in note for note in guarded.systems[0].notes)
    np.testing.assert_array_equal(guarded.model.predict(both()).forces, family.predict(both()).forces)
    assert guarded.summary["worse_systems"] == 0


def test_the_cutoff_is_taken_where_no_prior_says_otherwise(family: NetworkForceField) -> None:
    frames = both()
    found = refine(family, frames, Means(training=training("accurate")))
    for record, rows in zip(found.systems, (slice(0, 16), slice(16, 32)), strict=True):
        assert record.radius is not None
        assert record.adapted is None
        assert record.status == ("refined" if record.radius.moved else "kept")
        expected = family.with_cutoff(record.radius.chosen).predict(frames[rows]).forces
        np.testing.assert_array_equal(found.model.predict(frames[rows]).forces, expected)
    assert found.systems[1].status == "refined"


def test_a_cutoff_at_which_the_prior_head_is_worse_is_not_taken(family: NetworkForceField) -> None:
    still = Adaptation(steps=1, learning_rate=1e-30)
    means = Means(prior=always(Springs()), training=training("accurate"), how=still)
    found, free = (refine(family, both(), one) for one in (means, Means(training=training("accurate"))))
    for with_prior, without in zip(found.systems, free.systems, strict=True):
        assert with_prior.radius is not None
        assert without.radius is not None
        errors = [
            (one := shaken(name, 16, seed, "prior"))
            .mean_per_frame(
                np.linalg.norm(family.with_cutoff(r).predict(one, "prior").forces - one.forces, axis=1)
            )
            .mean()
            for r in (without.radius.trained, without.radius.chosen)
            for name, seed in [("CH3OH", 3) if with_prior.name == "CH4O" else ("CH3CH2OH", 4)]
        ]
        assert with_prior.radius.moved == (without.radius.moved and errors[1] <= errors[0])


def test_systems_that_cannot_be_treated_say_why_and_hold_up_nobody(family: NetworkForceField) -> None:
    water = shaken("H2O", 6, 2)
    low = float(water.dense().positions[:, 0, 0].max()) + 1e-6
    frames = STRANGE + shaken("CH3OH", 3, 8) + water.replace(charge=1) + shaken("CH3OH", 16, 3)[4:]
    found = refine(family, frames, MEANS)
    told = {one.name: (one.status, " ".join(one.notes)) for one in found.systems}
    assert told["H4Si"][0] == "refused"
    assert "elements [14]" in told["H4Si"][1]
    assert told["H2O"][0] == "refused"
    assert "charge" in told["H2O"][1]
    assert told["CH4O"] == ("refined", "")
    assert np.isnan(found.prior_errors[:6]).all()
    failing = refine(family, water, Means(prior=always(Springs(floor=low)), how=HOW)).systems[0]
    assert failing.status == "kept"
    assert "the prior failed for 6 of 6 frames" in failing.notes[0]
    few = refine(family, water[:2], MEANS).systems[0]
    assert few.status == "kept"
    assert "2 different frames are too few" in few.notes[0]


@pytest.mark.parametrize("prior", [None, always(Springs())])
def test_too_few_frames_move_no_cutoff(family: NetworkForceField, prior: Prior | None) -> None:
    still = Adaptation(steps=1, learning_rate=1e-30)
    means = Means(prior=prior, training=training("accurate"), how=still)
    four = shaken("CH3CH2OH", 4, 4)
    assert refine(family, four, replace(means, prior=None)).systems[0].status == "refined", "it would move"
    (record,) = refine(family, four[:3] + four[:1], means).systems
    assert record.status == "kept"
    assert record.radius is record.adapted is None
    assert "3 different frames are too few" in record.notes[0]
    assert (record.prior_error is None) == (prior is None)


def test_a_prior_that_fails_moves_no_cutoff(family: NetworkForceField) -> None:
    means = Means(prior=always(Springs()), training=training("accurate"), how=HOW)
    failing = replace(means, prior=lambda frames: Springs(floor=np.inf if len(frames) == 16 else -np.inf))
    (record,) = refine(family, shaken("CH3CH2OH", 16, 4), failing).systems
    assert "the prior failed for 16 of 16 frames" in record.notes[0]
    assert record.status == "kept"
    assert record.radius is None


def test_fragments_are_refined_like_any_other_system(family: NetworkForceField) -> None:
    whole = shaken("CH3OH", 12, 3)
    positions = whole.dense().positions.copy()
    positions[:, -1] += 40.0
    apart = Frames.stack(whole.numbers[:6], positions)
    found = refine(family, apart, Means(prior=always(Springs()), training=training("accurate"), how=HOW))
    record = found.systems[0]
    assert record.status in ("refined", "kept")
    assert record.compared is None
    assert record.prior_error is not None
    assert record.prior_error[1] <= record.prior_error[0]
    assert np.isfinite(record.radius.distances).all()  # type: ignore[union-attr]
    assert "error_ratio_median" not in found.summary


def test_another_prior_than_the_one_learnt_is_refused_where_training_frames_tell(
    family: NetworkForceField,
) -> None:
    trained = training("accurate", 3)
    with pytest.raises(UsageError, match=r"the head 'prior' is off by .* take the prior it has learnt"):
        refine(family, both(), Means(prior=mmff94, training=trained, how=HOW))
    partial = replace(
        MEANS,
        training=trained,
        prior=lambda some: Springs(floor=np.inf if some.formulas[0] == "H3N" else -np.inf),
    )
    notes = refine(family, both(), partial).systems[0].notes
    assert notes[0].startswith("the prior has no label for 3 of 9 training frames (H3N: the prior failed")
    still = Adaptation(steps=1)
    assert refine(family, both(), Means(prior=always(Springs()), training=trained, how=still)).systems


def test_bad_calls_are_refused(family: NetworkForceField) -> None:
    frames = both()
    with pytest.raises(UsageError, match="got no frames"):
        refine(family, frames[:0], MEANS)
    with pytest.raises(UsageError, match="got neither"):
        Means()
    with pytest.raises(UsageError, match="a offset model has none"):
        refine(Offset(EnergyReference.zero(frames), "accurate"), frames, MEANS)
    with pytest.raises(UsageError, match="was never trained"):
        refine(painn().with_heads(["prior", "accurate"]), frames, MEANS)
    with pytest.raises(UsageError, match="refined already, for 0 systems: refine the one that it came from"):
        refine(BySystem(family, {}), frames, MEANS)
    alone = family.with_heads(["accurate"])
    with pytest.raises(UsageError, match="train it with recipe 'ttt-pretrain' or 'ttt-joint'"):
        refine(alone, frames, MEANS)
    assert len(refine(alone, frames, Means(training=training("accurate"))).systems) == 2
    several = family.with_heads(["prior", "other", "accurate"])
    assert head_of(several, "other") == "other"
    with pytest.raises(UsageError, match=r"one of \['prior', 'other'\], got None"):
        head_of(several, None)
    with pytest.raises(UsageError, match=r"must be one of \['prior'\], got 'gfn2'"):
        head_of(family, "gfn2")


def test_what_is_told_is_told_in_plain_values(family: NetworkForceField) -> None:
    heard: list[tuple[str, int, int]] = []
    found = refine(family, both(), MEANS, say=lambda *words: heard.append(words))
    assert heard == [("refining CH4O", 0, 2), ("refining C2H6O", 1, 2), ("refining", 2, 2)]
    assert [one["system"] for one in found.to_dict()["systems"]] == ["CH4O", "C2H6O"]
    assert len(KNOWN) == 3


def test_above_a_baseline_the_network_is_refined_as_it_is_alone(
    family: NetworkForceField, tmp_path: Path
) -> None:
    """The labels of all levels are those of the network plus a known surface beneath it."""
    below = Baseline(family, SourceLabels(Springs("below")))
    frames = shaken("CH3OH", 16, 3, "accurate + below")
    alone = refine(family, shaken("CH3OH", 16, 3), MEANS)
    found = refine(below, frames, Means(prior=always(Springs("prior + below")), how=HOW))
    (ours,), (theirs,) = found.systems, alone.systems
    assert ours.status == "refined"
    assert ours.compared is not None
    assert theirs.compared is not None
    np.testing.assert_allclose(ours.compared.after, theirs.compared.after, rtol=1e-3)
    np.testing.assert_allclose(ours.compared.before, theirs.compared.before, rtol=1e-3)
    np.testing.assert_allclose(found.prior_errors, alone.prior_errors, rtol=1e-3)
    forces = found.model.predict(frames).forces
    known = Springs("below").label(frames[0]).forces
    np.testing.assert_allclose(forces[:6] - known, alone.model.predict(frames).forces[:6], atol=1e-3)
    others = training("accurate", 2)
    np.testing.assert_array_equal(found.model.predict(others).forces, below.predict(others).forces)
    again = load(found.model.save(tmp_path))
    assert isinstance(again, BySystem)
    assert again.needs_source, "a file names no class of a user's own"
    given = again.with_source(Springs("below"))
    assert not given.needs_source
    np.testing.assert_array_equal(given.predict(frames).forces, found.model.predict(frames).forces)


def test_a_baseline_that_cannot_be_refined_is_refused(family: NetworkForceField) -> None:
    offset = Offset(EnergyReference({1: 0.0, 6: 0.0, 8: 0.0}), "accurate")
    with pytest.raises(UsageError, match="a baseline model of offset has none"):
        refine(Baseline(offset, SourceLabels(Springs("below"))), both(), MEANS)
    with pytest.raises(UsageError, match="the baseline of this model has no source"):
        refine(Baseline(family, None, {"kind": "springs"}), both(), MEANS)


def test_a_system_that_the_baseline_fails_for_is_refused_and_the_others_go_on(
    family: NetworkForceField,
) -> None:
    broken = shaken("CH3OH", 6, 3)
    broken = broken.replace(positions=broken.positions - [50.0, 0, 0])
    below = Baseline(family, SourceLabels(Springs("below", floor=-10.0)))
    found = refine(below, broken + shaken("CH3CH2OH", 16, 4, "accurate + below"), MEANS)
    assert found.systems[0].status == "refused"
    assert found.systems[1].status != "refused"
    assert np.isnan(found.prior_errors[:6]).all()


def test_a_prior_that_is_the_baseline_teaches_nothing(family: NetworkForceField) -> None:
    below = Baseline(family, SourceLabels(Springs("below")))
    found = refine(below, shaken("CH3OH", 6, 3), Means(prior=always(Springs("below")), how=HOW))
    (record,) = found.systems
    assert record.status == "kept"
    assert "the prior is the baseline of this model" in record.notes[0]
