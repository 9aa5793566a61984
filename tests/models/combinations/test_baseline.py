from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from architectures import network
from morse_molecule import SWAP, frames
from morse_source import LEVELS, Morse

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity import CalculatorSource, MMFFSource, from_smiles
from fidsel.fidelity.source import LabelSource
from fidsel.models import SGDML, Baseline, Ensemble, ForceField, ModelSource, Sum, load
from fidsel.models.combinations.baseline import over
from fidsel.models.combinations.labels import BaselineError, SourceLabels
from fidsel.models.files import read_state, write_state
from fidsel.tasks.model_files import open_model
from fidsel.testing import model as contract

CHEAP = Morse("cheap")
TEST = frames(4, seed=9)


def lacking(n: int, seed: int = 0) -> Frames:
    """Return accurate − cheap labels of n frames."""
    return SourceLabels(CHEAP).subtract(frames(n, seed))


def correction(n: int = 30) -> SGDML:
    return SGDML([10.0]).fit(lacking(n), lacking(0))[0]


def model(source: LabelSource | None = CHEAP) -> Baseline:
    return Baseline(correction(), None if source is None else SourceLabels(source))


def real(source: LabelSource) -> tuple[Baseline, Frames]:
    """Return a kernel on what a real source leaves of some labels of formaldehyde, and frames to test on."""
    many = frames(20, seed=1)
    labels = SourceLabels(source)
    left = labels.subtract(many)
    return Baseline(SGDML([10.0]).fit(left, left[:0])[0], labels), frames(3, seed=2)


def xtb() -> LabelSource:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    from fidsel.fidelity.sources.tblite import TBLiteSource

    return TBLiteSource(accuracy=0.1)


def xtb_by_ase() -> LabelSource:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    return CalculatorSource("tblite", {"method": "GFN1-xTB", "charge": "{charge}"})


REAL: dict[str, Callable[[], LabelSource]] = {
    "tblite": xtb,
    "mmff94": lambda: MMFFSource(from_smiles("C=O")),
    "calculator": lambda: CalculatorSource("lj", {"epsilon": 0.01, "sigma": 1.5, "rc": 9.0}),
    "calculator tblite": xtb_by_ase,
}


@pytest.mark.parametrize("kind", REAL)
def test_it_keeps_the_contract_with_every_kind_of_source(kind: str) -> None:
    contract.check_force_field(*real(REAL[kind]()))


def test_it_keeps_the_contract_of_permutations() -> None:
    contract.check_permutation(model(), TEST, SWAP)


def test_baseline_and_correction_add_up_to_the_accurate_level() -> None:
    whole, test = model(), frames(50, seed=3)
    found, learnt = whole.predict(test), whole.correction.predict(test)
    cheap = [CHEAP.label(atoms) for atoms in test]
    assert found.energy == pytest.approx([label.energy for label in cheap] + learnt.energy)
    assert found.forces == pytest.approx(np.concatenate([label.forces for label in cheap]) + learnt.forces)
    alone = SGDML([10.0]).fit(frames(30), frames(0))[0].predict(test)
    error, before = (np.abs(p.forces - test.forces).mean() for p in (found, alone))
    assert error < 0.5 * before
    assert np.abs(found.energy - test.energy).mean() < 0.5 * np.abs(alone.energy - test.energy).mean()
    assert whole.level == "morse"


def test_a_source_of_ones_own_is_not_in_the_file_which_says_so(tmp_path: Path) -> None:
    whole = model()
    again = load(whole.save(tmp_path))
    assert isinstance(again, Baseline)
    assert again.source is None
    assert "which with_source must give" in repr(again)
    with pytest.raises(UsageError, match=r"level = 'cheap'\).* use the copy that with_source"):
        again.predict(TEST)
    found = again.with_source(CHEAP)
    assert (again.source, found.source, found.level) == (None, CHEAP, "morse")
    for name in ("energy", "forces"):
        assert np.array_equal(getattr(found.predict(TEST), name), getattr(whole.predict(TEST), name))


def test_a_calculator_that_may_start_programs_is_not_made_from_a_file(tmp_path: Path) -> None:
    source = CalculatorSource("orca", {"command": "touch /tmp/owned"})
    again = load(Baseline(correction(), SourceLabels(source)).save(tmp_path / "honest"))
    assert isinstance(again, Baseline)
    assert again.source is None
    settings, tensors = read_state(tmp_path / "honest")
    forged = {
        "calculator": "orca",
        "parameters": {"command": "touch /tmp/owned"},
        "forces": True,
        "threads": 1,
    }
    for made in ({"kind": "calculator", "arguments": forged}, {"kind": "os:system", "arguments": {}}):
        write_state(tmp_path / "forged", settings | {"source": made}, tensors)
        loaded = load(tmp_path / "forged")
        assert isinstance(loaded, Baseline)
        assert loaded.source is None


def test_a_trained_model_below_goes_into_the_file(tmp_path: Path) -> None:
    cheap = frames(40, depth=LEVELS["cheap"][0], width=LEVELS["cheap"][1], level="cheap")
    below = SourceLabels(ModelSource(SGDML([10.0]).fit(cheap, cheap[:0])[0].save(tmp_path / "below")))
    left = below.subtract(frames(10, seed=1))
    whole = over(below, SGDML([10.0]).fit(left, left[:0])[0])
    assert isinstance(whole, Sum)
    assert whole.level == "morse"
    contract.check_saving(whole, TEST)
    added = below.of(TEST).forces + whole.parts[1].predict(TEST).forces
    assert np.array_equal(whole.predict(TEST).forces, added)


def test_on_another_device_it_has_its_source_and_the_labels_it_knows() -> None:
    whole = model()
    expected = whole.predict(TEST)
    moved = whole.to("cpu")
    assert np.array_equal(moved.predict(TEST).forces, expected.forces)
    assert moved.baseline is whole.baseline


def test_another_baseline_is_refused(tmp_path: Path) -> None:
    again = load(model().save(tmp_path / "model"))
    assert isinstance(again, Baseline)
    with pytest.raises(UsageError, match="that has level = 'cheap', the source given has level = 'accurate'"):
        again.with_source(Morse("accurate"))
    other = ModelSource(correction().save(tmp_path / "correction"))
    with pytest.raises(UsageError, match=r"kind = 'morse', level = 'cheap'.*kind = 'model', digest"):
        again.with_source(other)
    with pytest.raises(UsageError, match="the baseline this model was trained with"):
        Baseline(correction(), SourceLabels(CHEAP), {"kind": "morse", "level": "cheap", "basis": "sto-3g"})


def test_without_settings_the_first_source_settles_them(tmp_path: Path) -> None:
    unknown = load(model(source=None).save(tmp_path))
    assert isinstance(unknown, Baseline)
    with pytest.raises(UsageError, match="adds a baseline to every frame"):
        unknown.predict(TEST)
    known = unknown.with_source(CHEAP)
    assert known.settings == CHEAP.settings()
    with pytest.raises(UsageError, match="level = 'accurate'"):
        known.with_source(Morse("accurate"))


def test_a_frame_the_baseline_cannot_label_is_named() -> None:
    failing = Morse("cheap", act="raise", one_in=1)
    with pytest.raises(BaselineError, match=rf"frame 0 \(CH2O, id {TEST.ids[0]}\): did not converge"):
        model(failing).predict(TEST[:1])


def test_the_correction_refuses_before_anything_is_labelled() -> None:
    failing = Morse("cheap", act="raise", one_in=1)
    with pytest.raises(UsageError, match="one molecule"):
        model(failing).predict(TEST + Frames.stack([8, 1, 1], np.eye(3)[None]))


def test_features_and_disagreement_are_those_of_the_correction() -> None:
    members = [network("painn", seed).replace(level="morse") for seed in (1, 2)]
    labels, committee = SourceLabels(CHEAP), Ensemble(members)
    whole: ForceField = Baseline(committee, labels)
    assert isinstance(whole, Baseline)
    assert np.array_equal(whole.latent(TEST), committee.latent(TEST))
    assert np.array_equal(Baseline(members[0], labels).latent(TEST), members[0].latent(TEST))
    assert np.array_equal(whole.disagreement(TEST).forces, committee.disagreement(TEST).forces)
    assert whole.parts == (committee,)
    with pytest.raises(UsageError, match="a baseline model has no latent features"):
        model().latent(TEST)
    with pytest.raises(UsageError, match="a baseline model has no members that could disagree"):
        model().disagreement(TEST)


def test_dynamics_run_on_it() -> None:
    from ase.md.verlet import VelocityVerlet

    whole, _ = real(xtb())
    atoms = frames(1, seed=7)[0]
    atoms.calc = whole.calculator()
    start = atoms.get_total_energy()
    VelocityVerlet(atoms, timestep=0.02).run(50)
    assert atoms.get_total_energy() == pytest.approx(start, abs=5e-3)


def test_what_the_correction_has_seen_is_what_the_model_has_seen() -> None:
    whole = model()
    assert whole.seen == whole.correction.seen
    assert whole.extrapolation(TEST[:1]).shape == (1,)


def test_error_analysis_takes_it_from_its_folder(tmp_path: Path) -> None:
    whole, test = real(xtb())
    again = open_model(str(whole.save(tmp_path / "model")), test)
    assert np.array_equal(again.predict(test).forces, whole.predict(test).forces)
    learnt = again.training_frames
    assert learnt is not None
    assert len(learnt) == 20
