from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from morse_molecule import frames
from morse_source import Morse

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Label, Value
from fidsel.models import ModelSource, PaiNN
from fidsel.models.combinations import worth
from fidsel.models.combinations.labels import BaselineError, SourceLabels
from fidsel.models.combinations.worth import Worth, worth_it
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Stage

LABELS = frames(40, seed=1)


@dataclass(frozen=True)
class Rough:
    """The very truth plus A Σ sin(k r) of all distances: a small error that no kernel learns."""

    amplitude: float = 1e-3
    wave: float = 60.0
    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "rough"}

    def label(self, atoms: Atoms) -> Label:
        true = Morse("accurate").label(atoms)
        vectors = atoms.positions[:, None] - atoms.positions[None]
        r = np.linalg.norm(vectors, axis=-1) + np.eye(len(atoms))
        slope = self.amplitude * self.wave * np.cos(self.wave * r)
        noise = -(slope / r)[..., None] * vectors
        energy = self.amplitude * np.triu(np.sin(self.wave * r), 1).sum()
        return Label(true.energy + energy, np.asarray(true.forces) + noise.sum(1))


def test_a_smooth_difference_helps() -> None:
    found = worth_it(LABELS, SourceLabels(Morse("cheap")))
    assert found.helps
    assert found.with_baseline.mean() < 0.6 * found.without.mean()
    assert found.told().endswith("the baseline helps")
    assert found.frames == 40


def test_a_rough_baseline_does_harm_however_accurate() -> None:
    source = Rough()
    itself = np.abs(SourceLabels(source).of(LABELS).forces - LABELS.forces).mean()
    cheap = np.abs(SourceLabels(Morse("cheap")).of(LABELS).forces - LABELS.forces).mean()
    assert itself < cheap
    found = worth_it(LABELS, SourceLabels(source))
    assert not found.helps
    assert found.told().endswith("the baseline does not help")


def test_a_network_of_little_training_does_not_help(tmp_path: Path) -> None:
    stage = Stage(steps=30, learning_rate=1e-2, batch=5, validate_every=10)
    rough, _ = fit(PaiNN(features=8, layers=1, radial=8, seed=1), LABELS[:10], LABELS[10:14], stage)
    assert not worth_it(frames(30, seed=4), SourceLabels(ModelSource(rough.save(tmp_path)))).helps


def test_gfn2_helps_on_formaldehyde(data_folder: Path) -> None:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    from fidsel.fidelity.sources.tblite import TBLiteSource

    raw = np.load(data_folder / "h2co" / "h2co.npz")
    rows = np.random.default_rng(0).permutation(len(raw["R"]))[:20]
    given = {"energy": raw["E_ccsdt"][rows], "forces": raw["F_ccsdt"][rows], "level": "ccsd(t)"}
    found = worth_it(Frames.stack(raw["z"], raw["R"][rows], **given), SourceLabels(TBLiteSource()))
    assert found.helps
    assert found.gain[0] > 0.3


def test_the_same_seed_says_the_same_and_the_count_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "EQUATIONS", 120)  # six of each frame of four atoms
    one, two = (worth_it(LABELS, SourceLabels(Morse("cheap")), seed=5) for _ in range(2))
    assert np.array_equal(one.without, two.without)
    assert np.array_equal(one.with_baseline, two.with_baseline)
    assert (one.frames, len(one.without)) == (20, 5)


def test_the_most_frequent_molecule_counts() -> None:
    positions = np.random.default_rng(0).normal(size=(12, 3, 3))
    water = Frames.stack([8, 1, 1], positions, forces=np.zeros_like(positions))
    assert worth_it(water + LABELS, SourceLabels(Morse("cheap"))).frames == 40


def test_the_decision_takes_more_than_a_standard_error() -> None:
    ones = np.ones(5)
    assert not Worth(ones, np.array([0.8, 1.15, 1.1, 0.9, 1.0]), 20).helps
    assert Worth(ones, 0.9 * ones + 0.01 * np.arange(5), 20).helps
    mean, error = Worth(ones, 0.5 * ones, 20).gain
    assert (mean, error) == (pytest.approx(np.log(2)), pytest.approx(0))


def test_what_cannot_be_judged_is_said() -> None:
    with pytest.raises(UsageError, match="at least 10 frames of one molecule with accurate forces, got 9"):
        worth_it(LABELS[:9], SourceLabels(Morse("cheap")))
    with pytest.raises(UsageError, match="got 0"):
        worth_it(LABELS.replace(forces=None), SourceLabels(Morse("cheap")))
    with pytest.raises(BaselineError, match="could not label"):
        worth_it(LABELS, SourceLabels(Morse("cheap", act="raise")))
