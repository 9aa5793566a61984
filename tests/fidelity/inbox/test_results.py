from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import units
from program_outputs import STEP, WRITERS, Diatomic, engrad, job

from fidsel.data import Frames, read, write
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore, Ledger
from fidsel.fidelity.attempt import Order
from fidsel.fidelity.inbox.jobs import write_jobs
from fidsel.fidelity.inbox.results import Inbox
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.sources.inbox import InboxSource
from fidsel.fidelity.store.quarantine import reject
from fidsel.testing import example_frames

LEVEL = Fidelity("ccsd", InboxSource("ccsd", "cc-pvdz"), Price(2.0, "label"))
STEPS = (STEP, Diatomic(1.7), Diatomic(1.9))
FRAMES = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, step.angstrom]] for step in STEPS])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Yield the ledger of a store in which labels of all frames are awaited."""
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(FRAMES)
        ledger = Ledger(store)
        ledger.reserve("train", LEVEL, [Order(frame, 2.0) for frame in FRAMES.ids])
        yield ledger


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    return write_jobs(tmp_path / "jobs", tmp_path / "home", LEVEL, FRAMES)


def taken(ledger: Ledger, *paths: Path, level: Fidelity = LEVEL) -> Inbox:
    inbox = Inbox(ledger, [level])
    inbox.take(paths)
    return inbox


@pytest.mark.parametrize("program", WRITERS)
def test_outputs_of_programs_become_labels(program: str, ledger: Ledger, jobs: Path) -> None:
    for frame, step in zip(FRAMES.ids, STEPS, strict=True):
        job(jobs / frame, program, step)
    inbox = taken(ledger, jobs)
    assert (dict(inbox.stored), inbox.refused) == ({"ccsd": 3}, [])
    found = ledger.store.labelled(LEVEL, FRAMES.ids)
    np.testing.assert_allclose(found.energy, [step.energy * units.Hartree for step in STEPS], atol=1e-7)
    slopes = [-step.gradient * units.Hartree / units.Bohr for step in STEPS]
    np.testing.assert_allclose(found.forces[1::2, 2], slopes, atol=1e-6)
    assert ledger.store.provenance(LEVEL, FRAMES.ids[0])["file"] == f"{program}.out"
    assert (ledger.spent(), ledger.reserved()) == (6.0, 0.0)


def test_a_gradient_file_alone_is_a_result(ledger: Ledger, jobs: Path) -> None:
    (jobs / FRAMES.ids[0] / "orca.engrad").write_text(engrad(STEP))
    (jobs / "slurm-17.out").write_text("job 17 done\n")
    inbox = taken(ledger, jobs)
    assert (dict(inbox.stored), inbox.refused) == ({"ccsd": 1}, [])


def test_what_is_wrong_is_named_and_the_others_are_stored(ledger: Ledger, jobs: Path) -> None:
    job(jobs / FRAMES.ids[0], "orca", STEP)
    job(jobs / FRAMES.ids[1], "orca", STEPS[1], end=False)
    job(jobs / FRAMES.ids[2], "orca", STEP)
    inbox = taken(ledger, jobs)
    assert dict(inbox.stored) == {"ccsd": 1}
    cut, other = sorted(inbox.refused, key=lambda text: "cut off" not in text)
    assert f"{FRAMES.ids[1]}/orca.out: ORCA did not end normally" in cut
    assert f"orca.out is not of frame {FRAMES.ids[2]}: its geometry is another" in other
    assert len(ledger.awaited(LEVEL.key)) == 2
    assert (ledger.spent(), ledger.reserved()) == (2.0, 4.0)


@pytest.mark.parametrize(("step", "gradient", "words"), [
    (Diatomic(STEP.length, charge=1, multiplicity=2), True, "charge: 1 instead of 0"),
    (STEP, False, "has no forces, which a label of ccsd must have"),
])  # fmt: skip
def test_another_state_and_missing_forces_are_refused(
    ledger: Ledger, jobs: Path, step: Diatomic, gradient: bool, words: str
) -> None:
    path = job(jobs / FRAMES.ids[0], "orca", step, gradient=gradient)
    (refused,) = taken(ledger, path).refused
    assert words in refused


def test_charges_that_no_file_names_are_those_of_the_frames(tmp_path: Path) -> None:
    ions = FRAMES.replace(charge=-1, spin=1)
    with LabelStore(tmp_path / "ions.db") as store:
        store.add_frames(ions)
        ledger = Ledger(store)
        ledger.reserve("train", LEVEL, [Order(frame, 2.0) for frame in ions.ids])
        path = tmp_path / "h2.engrad"
        path.write_text(engrad(STEP))
        assert dict(taken(ledger, path).stored) == {"ccsd": 1}
        assert store.label_ids(LEVEL) == ions.ids[:1]


def test_a_second_result_must_say_the_same(ledger: Ledger, jobs: Path, tmp_path: Path) -> None:
    path = job(jobs / FRAMES.ids[0], "orca", STEP)
    assert dict(taken(ledger, path).stored) == {"ccsd": 1}
    assert taken(ledger, path).known == 1
    labelled = ledger.store.labelled(LEVEL, FRAMES.ids[:1])
    write(tmp_path / "other.xyz", labelled.replace(energy=labelled.energy + 0.1, level=""))
    write(tmp_path / "signs.xyz", labelled.replace(forces=-labelled.forces, level=""))
    for name in ("other", "signs"):
        (refused,) = taken(ledger, tmp_path / f"{name}.xyz").refused
        assert "has a label of ccsd already, of " in refused
        assert "`fidsel reject`" in refused
    assert ledger.spent() == 2.0


@pytest.mark.parametrize("forces", [-1.0, 0.5])
def test_a_label_that_is_set_aside_is_replaced_by_another_and_not_by_itself(
    forces: float, ledger: Ledger, jobs: Path, tmp_path: Path
) -> None:
    right = job(jobs / FRAMES.ids[0], "orca", STEP)
    read_right = read(right).replace(level="")
    wrong = write(tmp_path / "wrong.xyz", read_right.replace(forces=forces * read_right.forces))
    assert dict(taken(ledger, wrong).stored) == {"ccsd": 1}
    reject(ledger.store, [LEVEL], FRAMES.ids[:1], "read with wrong units")
    again = taken(ledger, wrong)
    assert (dict(again.stored), again.known, again.refused) == ({}, 1, [])
    assert ledger.store.label_ids(LEVEL) == ()
    assert dict(taken(ledger, right).stored) == {"ccsd": 1}
    (label,) = (ledger.store.labelled(LEVEL, FRAMES.ids[:1]),)
    np.testing.assert_allclose(label.forces, read_right.forces, atol=1e-9)
    before = ledger.store.provenance(LEVEL, FRAMES.ids[0])["replaces"]
    assert before["why"] == "rejected: read with wrong units"
    np.testing.assert_allclose(before["forces"], forces * read_right.forces, atol=1e-7)
    assert (ledger.spent(), ledger.reserved()) == (2.0, 4.0)
    assert taken(ledger, right).known == 1
    (refused,) = taken(ledger, wrong).refused
    assert "already" in refused


def test_labels_without_forces_are_replaced(tmp_path: Path) -> None:
    level = Fidelity("ccsd", InboxSource("ccsd", "cc-pvdz", forces=False), Price(2.0, "label"))
    with LabelStore(tmp_path / "energies.db") as store:
        store.add_frames(FRAMES)
        ledger = Ledger(store)
        ledger.reserve("train", level, [Order(frame, 2.0) for frame in FRAMES.ids])
        for name, first in (("wrong", -27.2), ("right", -1.0)):
            path = write(tmp_path / f"{name}.xyz", FRAMES.replace(energy=[first, -2.0, -3.0]))
            if name == "right":
                assert len(taken(ledger, path, level=level).refused) == 1
                reject(store, [level], FRAMES.ids[:1], "in other units")
            taken(ledger, path, level=level)
        assert store.labelled(level, FRAMES.ids).energy.tolist() == [-1.0, -2.0, -3.0]


def test_the_last_geometry_of_several_that_is_right_is_taken(ledger: Ledger, jobs: Path) -> None:
    path = jobs / FRAMES.ids[1] / "orca.out"
    path.write_text(WRITERS["orca"](STEP, STEPS[1], STEPS[2]))
    assert dict(taken(ledger, path).stored) == {"ccsd": 1}
    assert ledger.store.label_ids(LEVEL) == FRAMES.ids[1:2]


def test_a_job_of_other_settings_is_refused(ledger: Ledger, jobs: Path) -> None:
    path = job(jobs / FRAMES.ids[0], "orca", STEP)
    other = Fidelity("ccsd", InboxSource("ccsd", "cc-pvtz"), Price(2.0, "label"))
    (refused,) = taken(ledger, path, level=other).refused
    assert "is of a job for ccsd of another campaign, or with other settings" in refused


def test_a_file_must_tell_its_level_where_there_are_two(ledger: Ledger, tmp_path: Path) -> None:
    other = Fidelity("hf", InboxSource("hf", "cc-pvdz"), Price(1.0, "label"))
    ledger.reserve("train", other, [Order(frame, 1.0) for frame in FRAMES.ids])
    forces = np.zeros((6, 3))
    for name, level in (("plain", ""), ("named", "hf")):
        write(tmp_path / f"{name}.xyz", FRAMES.replace(energy=[-1.0, -2.0, -3.0], forces=forces, level=level))
    inbox = Inbox(ledger, [LEVEL, other])
    inbox.take([tmp_path / "plain.xyz", tmp_path / "named.xyz"])
    assert dict(inbox.stored) == {"hf": 3}
    assert "must say of which level its labels are (ccsd, hf)" in inbox.refused[0]
    assert ledger.store.labelled(other).energy.tolist() == [-1.0, -2.0, -3.0]


def test_labels_in_other_units_are_not_stored_unless_trusted_or_stated(tmp_path: Path) -> None:
    water = example_frames(15)
    hartree = water.replace(
        energy=water.energy / units.Hartree, forces=water.forces * units.Bohr / units.Hartree, level=""
    )
    path = write(tmp_path / "hartree.xyz", hartree)
    with LabelStore(tmp_path / "water.db") as store:
        store.add_frames(water)
        ledger = Ledger(store)
        ledger.reserve("train", LEVEL, [Order(frame, 2.0) for frame in water.ids])
        inbox = taken(ledger, path)
        (refused,) = inbox.refused
        assert refused.startswith("15 labels of ccsd: bonds to hydrogen have 0.02")
        assert "as of forces in Hartree/Bohr read as eV/Å: give the right units" in refused
        assert "energy_unit, force_unit; docs/files.md" in refused
        assert (dict(inbox.stored), ledger.spent(), ledger.reserved()) == ({}, 0.0, 30.0)
        text = path.read_text().replace("energy=", "energy_unit=Hartree force_unit=Hartree/Bohr energy=")
        path.write_text(text)
        assert dict(taken(ledger, path).stored) == {"ccsd": 15}
        assert np.allclose(store.labelled(LEVEL, water.ids).energy, water.energy, rtol=0, atol=1e-6)


def test_a_batch_that_counts_from_another_zero_than_the_labels_there_is_not_stored(tmp_path: Path) -> None:
    water = example_frames(40).replace(level="")
    with LabelStore(tmp_path / "water.db") as store:
        store.add_frames(water)
        ledger = Ledger(store)
        ledger.reserve("train", LEVEL, [Order(frame, 2.0) for frame in water.ids])
        first, rest = water[:24], water[24:]
        assert dict(taken(ledger, write(tmp_path / "first.xyz", first)).stored) == {"ccsd": 24}
        moved = write(tmp_path / "moved.xyz", rest.replace(energy=rest.energy + 3.0))
        inbox = taken(ledger, moved)
        (refused,) = inbox.refused
        assert "energies of 16 of 40 frames looked at lie 3" in refused
        assert (dict(inbox.stored), ledger.spent()) == ({}, 48.0)
        assert dict(taken(ledger, write(tmp_path / "rest.xyz", rest)).stored) == {"ccsd": 16}


def test_what_concerns_awaited_frames_comes_before_strangers(tmp_path: Path) -> None:
    water = example_frames(30)
    with LabelStore(tmp_path / "water.db") as store:
        store.add_frames(water)
        ledger = Ledger(store)
        ledger.reserve("train", LEVEL, [Order(frame, 2.0) for frame in water.ids[15:]])
        inbox = taken(ledger, write(tmp_path / "wrong.xyz", water.replace(forces=-water.forces, level="")))
    (refused,) = inbox.refused
    assert "wrong sign" in refused
    assert len(inbox.strangers) == 15
    assert "is none of the 15 frames of ccsd" in inbox.strangers[0]


def test_trusted_labels_are_stored_whatever_their_units(tmp_path: Path) -> None:
    water = example_frames(15)
    with LabelStore(tmp_path / "water.db") as store:
        store.add_frames(water)
        ledger = Ledger(store)
        ledger.reserve("train", LEVEL, [Order(frame, 2.0) for frame in water.ids])
        inbox = Inbox(ledger, [LEVEL], trusted=True)
        inbox.take([write(tmp_path / "wrong.xyz", water.replace(forces=-water.forces, level=""))])
        assert (dict(inbox.stored), inbox.refused) == ({"ccsd": 15}, [])


def test_a_folder_that_is_not_there_is_named(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*nowhere"):
        taken(ledger, tmp_path / "nowhere")
