"""From names to models, and to what they leave behind."""

from pathlib import Path

import numpy as np
import pytest
from mmff_force_field import MMFFForceField
from spring_systems import Springs, shaken

from fidsel.data import Frames, read, write
from fidsel.exceptions import UsageError
from fidsel.fidelity import CampaignLock, LockError, MMFFSource
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.dynamics.study import Protocol
from fidsel.models.ranges import ElementRanges
from fidsel.tasks.dynamics.run import Products, dynamics_files, protocol_of

WATERS = shaken("H2O", 2)
SHORT = Protocol(5.0, every=5)
WORDS = {"friction": 0.02, "replicas": 2, "every": 5, "ensemble": "langevin", "bonds": "transfer"}


def test_models_called_the_same_are_told_apart() -> None:
    model = MMFFForceField(from_smiles("O"))
    found = dynamics_files([model, model, Springs()], WATERS, SHORT)
    assert [run["model"] for run in found["runs"]] == ["mmff-test", "mmff-test #2", "springs"]
    assert found["against_reference"] == {}


def test_what_a_killed_run_left_is_gone_on_from(tmp_path: Path) -> None:
    out = tmp_path / "run.traj"

    class Dies(MMFFForceField):
        calls = 0

        def predict(self, frames: Frames, level: str | None = None):  # type: ignore[no-untyped-def]
            self.calls += 1
            if self.calls == 8:
                raise KeyboardInterrupt
            return super().predict(frames, level)

    with pytest.raises(KeyboardInterrupt):
        dynamics_files([Dies(from_smiles("O"))], WATERS, SHORT, products=Products(out))
    assert (tmp_path / "run.traj.part").is_dir()
    assert not out.exists()
    dynamics_files([MMFFForceField(from_smiles("O"))], WATERS, SHORT, products=Products(out))
    assert out.exists()
    assert not (tmp_path / "run.traj.part").exists()


def test_trajectories_are_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    out = Products(tmp_path / "run.traj")
    with (
        CampaignLock(tmp_path / "run.traj.part"),
        pytest.raises(LockError, match=r"this process works on the trajectories of .*run.traj already"),
    ):
        dynamics_files([MMFFForceField(from_smiles("O"))], WATERS, SHORT, products=out)
    dynamics_files([MMFFForceField(from_smiles("O"))], WATERS, SHORT, products=out)
    assert [path.name for path in tmp_path.iterdir()] == ["run.traj"]
    with pytest.raises(UsageError, match="there already"):
        dynamics_files([MMFFForceField(from_smiles("O"))], WATERS, SHORT, products=out)


class Knowing(MMFFForceField):
    """A model that knows the distances it was trained on."""

    seen = (ElementRanges.of(WATERS, 5.0),)


@pytest.mark.parametrize("product", ["out", "candidates"])
def test_the_starts_are_not_written_over_even_where_files_may_be(tmp_path: Path, product: str) -> None:
    starts = write(tmp_path / "starts.extxyz", WATERS)
    before, products = starts.read_bytes(), Products(**{product: starts})
    with pytest.raises(UsageError, match=r"starts\.extxyz is read, and would be replaced"):
        dynamics_files([Untouched(from_smiles("O"))], starts, SHORT, products=products, force=True)
    assert starts.read_bytes() == before


def test_candidates_replace_no_file_unasked_and_none_leave_none(tmp_path: Path) -> None:
    kept = tmp_path / "mine.extxyz"
    kept.write_bytes(b"frames of a person")
    model, products = Knowing(from_smiles("O")), Products(candidates=kept)
    with pytest.raises(UsageError, match=r"mine.extxyz is there already and is kept: name another --stops"):
        dynamics_files([Untouched(from_smiles("O"))], WATERS, SHORT, products=products)
    assert kept.read_bytes() == b"frames of a person"
    unsure = protocol_of(20.0, (0.5,), (300.0,), doubt=(None, 0.0, None), **WORDS)
    found = dynamics_files([model], WATERS, unsure, products=products, force=True)
    assert len(read(kept)) == found["candidates"] > 0
    assert dynamics_files([model], WATERS, SHORT, products=products, force=True)["candidates"] == 0
    assert not kept.exists()
    with pytest.raises(UsageError, match="--out and --stops both name"):
        dynamics_files([model], WATERS, SHORT, products=Products(kept, kept))


def test_samples_that_nobody_asked_for_take_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MMFFForceField(from_smiles("O"))
    whole = dynamics_files([model], WATERS, SHORT)
    monkeypatch.setattr("fidsel.tasks.dynamics.run.UNWRITTEN", 1200)
    thinned = dynamics_files([model], WATERS, SHORT)
    assert (whole["notes"], len(thinned["notes"])) == ([], 1)
    assert thinned["notes"][0].startswith("mmff-test H2O 0.5 fs: samples are 10 steps apart, in place of 5")
    assert thinned["runs"][0]["replicas"] == whole["runs"][0]["replicas"]


def test_words_become_a_protocol() -> None:
    words = {"friction": 0.02, "replicas": 3, "every": 5}
    nve = protocol_of(10.0, (0.5,), (300.0,), ensemble="nve", bonds="kept", **words)
    assert (nve.friction, nve.replicas, nve.every, nve.stops.limits.formed) == (0.0, 3, 5, 1.1)
    bath = protocol_of(
        10.0, (0.5,), (300.0,), ensemble="langevin", bonds="any", doubt=(0.3, None, None), **words
    )
    assert (bath.friction, bath.stops.doubt.disagreement, bath.stops.limits.transfer) == (0.02, 0.3, False)


class Untouched(MMFFForceField):
    """A model that must not be asked."""

    def predict(self, frames: Frames, level: str | None = None):  # type: ignore[no-untyped-def]
        raise AssertionError(f"asked for {level} of {len(frames)} frames")


def test_what_would_fail_at_the_end_is_refused_at_the_start(tmp_path: Path) -> None:
    model, x = Untouched(from_smiles("O")), WATERS.positions.copy()
    with pytest.raises(UsageError, match="it has none of H2O"):
        dynamics_files([model], WATERS, SHORT, reference=shaken("NH3", 1))
    x[0] = np.nan
    with pytest.raises(UsageError, match="positions must be finite, those of frame 0"):
        dynamics_files([model], WATERS, SHORT, reference=WATERS.replace(positions=x))
    with pytest.raises(UsageError, match="file format to write"):
        dynamics_files([model], WATERS, SHORT, products=Products(candidates=tmp_path / "c.unknown"))
    lost = tmp_path / "nowhere"
    for products in (
        Products(lost / "a.extxyz"),
        Products(candidates=lost / "a.extxyz"),
        Products(picture=lost / "a.png"),
    ):
        with pytest.raises(UsageError, match="must be a file in a folder that exists"):
            dynamics_files([model], WATERS, SHORT, products=products)


def test_a_source_without_forces_is_refused() -> None:
    class Energies(MMFFSource):
        forces = False

    with pytest.raises(UsageError, match="dynamics and relaxation need forces"):
        dynamics_files([Energies(from_smiles("O"))], WATERS, SHORT)
