"""Campaigns whose accurate labels other people compute: here PySCF in the test, in their programs' files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.io import read as ase_read
from small_campaign import CONFIG
from tiny_campaign import check_consistent, rounds

from fidsel.campaign import Round, iterate
from fidsel.campaign.failures import retry_failed
from fidsel.campaign.inbox import Imported, export_labels, import_labels, withdraw_labels
from fidsel.config.build import open_campaign
from fidsel.data import Frames, read, write
from fidsel.exceptions import UsageError, WaitingError
from fidsel.fidelity import LabelStore, Ledger
from fidsel.fidelity.sources.pyscf import PySCFSource

MMFF = CONFIG[CONFIG.index("[[fidelity]]") : CONFIG.index('[[fidelity]]\nname = "hf')]
QUICK = (
    CONFIG.replace(MMFF, "")
    .replace("cokriging", "standard")
    .replace("per_round = 3", "per_round = 3\nprobes = 2")
)
QUICK = QUICK.replace('name = "water"', 'name = "water"\ncontrol = "off"').replace(
    "frames = 150", "frames = 60"
)
QUICK += '[model]\nkind = "sgdml"\nsigmas = [10.0]\n[tracking]\nenabled = false\n'
INBOX = QUICK.replace('kind = "pyscf"', 'kind = "inbox"')
HF = PySCFSource("hf", "sto-3g")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a campaign that has asked for its first labels."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "fidsel.toml").write_text(INBOX)
    assert not goes_on(folder)
    return folder


@pytest.fixture
def folder(first: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(first, tmp_path / "campaign")


def goes_on(folder: Path) -> bool:
    """Run a campaign until it waits; return whether it has ended."""
    try:
        for _ in iterate(open_campaign(folder)):
            pass
    except WaitingError:
        return False
    return True


def computed(path: Path) -> Frames:
    """Return the frames of an exported file with their labels."""
    frames = read(path)
    labels = [HF.label(frames[i]) for i in range(len(frames))]
    forces = np.concatenate([label.forces for label in labels if label.forces is not None])
    return frames.replace(energy=[label.energy for label in labels], forces=forces)


def orca(frame: Frames) -> str:
    """Return what ORCA prints of a labelled frame: six decimals of its coordinates."""
    symbols = frame[0].get_chemical_symbols()
    rows = zip(symbols, frame.positions, strict=True)
    places = "".join(f"  {s:4s}{x:12.6f}{y:12.6f}{z:12.6f}\n" for s, (x, y, z) in rows)
    gradient = -frame.forces * units.Bohr / units.Hartree
    slopes = "".join(
        f"{i:4d}   {s}   :{x:16.9f}{y:16.9f}{z:16.9f}\n"
        for i, (s, (x, y, z)) in enumerate(zip(symbols, gradient, strict=True), 1)
    )
    return (
        "                 * O   R   C   A *\n Total Charge           Charge          ....    0\n"
        " Multiplicity           Mult            ....    1\n"
        f"CARTESIAN COORDINATES (ANGSTROEM)\n---------------------------------\n{places}\n"
        f"FINAL SINGLE POINT ENERGY     {frame.energy[0] / units.Hartree:.12f}\n"
        f"------------------\nCARTESIAN GRADIENT\n------------------\n\n{slopes}\n"
        "                             ****ORCA TERMINATED NORMALLY****\n"
    )


def money(folder: Path) -> tuple[int, float, float]:
    """Return how many labels are awaited, what is spent and what is reserved."""
    with LabelStore(folder / "labels.db", read_only=True) as store:
        ledger = Ledger(store)
        return len(ledger.awaited()), ledger.spent(), ledger.reserved()


def brought(folder: Path, *paths: Path) -> Imported:
    return import_labels(open_campaign(folder), paths)


def exported(folder: Path, out: Path) -> Path:
    """Export the jobs of a campaign and return their folder."""
    found = export_labels(open_campaign(folder), out)["hf(sto)"]
    assert found.jobs == money(folder)[0]
    return found.folder


@pytest.mark.parametrize("control", ["off", "bought"])
def test_a_campaign_of_other_peoples_labels_is_that_of_computed_ones(
    folder: Path, tmp_path: Path, control: str
) -> None:
    """Same picks and spending as with PySCF at the same price, whatever files the labels come in.

    A control arm makes it wait no oftener: its labels are asked for with those of the round.
    """
    arm = ('control = "off"', f'control = "{control}"')
    (folder / "fidsel.toml").write_text(INBOX.replace(*arm))
    done, waits = False, 0
    while not done:
        waits += 1
        jobs = exported(folder, tmp_path / f"jobs{waits}")
        if waits % 2:
            for job in filter(Path.is_dir, jobs.iterdir()):
                (job / "orca.out").write_text(orca(computed(job / "frame.xyz")))
        else:
            write(jobs / "results.extxyz", computed(jobs / "frames.xyz"))
        asked = money(folder)[0]
        found = brought(folder, jobs)
        assert (found.stored, found.awaited, found.refused) == ({"hf(sto)": asked}, {}, ())
        done = goes_on(folder)
    assert waits == 4  # held-out frames, the start, probes and picks of round 1
    other = tmp_path / "here"
    other.mkdir()
    (other / "fidsel.toml").write_text(QUICK.replace(*arm))
    for _ in iterate(open_campaign(other)):
        pass
    one, two = rounds(folder), rounds(other)
    assert [each.picks for each in one] == [each.picks for each in two]
    assert [each.labels for each in one] == [each.labels for each in two]
    assert [each.spent for each in one] == pytest.approx([each.spent for each in two])
    assert one[-1].metrics.force_mae == pytest.approx(two[-1].metrics.force_mae, rel=1e-4)
    assert [arm_of(each) for each in one] == [arm_of(each) for each in two]
    check_consistent(folder)


def arm_of(found: Round) -> tuple[int, float] | None:
    """Return how many labels the control arm had, and what they cost."""
    return None if found.control is None else (found.control.labels, found.control.spent)


def test_nothing_is_booked_or_paid_twice(folder: Path, tmp_path: Path) -> None:
    count, spent, reserved = money(folder)
    assert reserved > 0
    assert not goes_on(folder)
    jobs = exported(folder, tmp_path / "jobs")
    before = {path: path.read_bytes() for path in jobs.rglob("*") if path.is_file()}
    assert exported(folder, tmp_path / "jobs") == jobs
    assert {path: path.read_bytes() for path in jobs.rglob("*") if path.is_file()} == before
    assert money(folder) == (count, spent, reserved)
    write(tmp_path / "labels.xyz", computed(jobs / "frames.xyz")[:2])
    assert brought(folder, tmp_path / "labels.xyz").stored == {"hf(sto)": 2}
    paid = money(folder)
    assert paid[0] == count - 2
    again = brought(folder, tmp_path / "labels.xyz")
    assert (again.stored, again.known, again.refused) == ({}, 2, ())
    assert money(folder) == paid
    assert not goes_on(folder)
    assert money(folder) == paid


def test_what_nobody_computes_is_given_back(folder: Path, tmp_path: Path) -> None:
    count, spent, _ = money(folder)
    frame = next(path.name for path in exported(folder, tmp_path / "jobs").iterdir() if path.is_dir())
    with pytest.raises(UsageError, match="no label of a frame zz is awaited"):
        withdraw_labels(open_campaign(folder), ["zz"])
    assert withdraw_labels(open_campaign(folder), [frame[:10]]) == 1
    assert money(folder)[:2] == (count - 1, spent)
    job = tmp_path / "jobs" / "hf(sto)" / frame
    assert brought(folder, job).refused == ()
    write(job / "result.xyz", computed(job / "frame.xyz"))
    (refused,) = brought(folder, job).refused
    assert f"no label of frame {frame} at hf(sto) is awaited" in refused
    assert not goes_on(folder)
    assert money(folder)[:2] == (count - 1, spent)
    assert retry_failed(open_campaign(folder), "refused") == 1
    assert not goes_on(folder)
    assert money(folder)[0] == count
    assert withdraw_labels(open_campaign(folder), None) == count
    assert money(folder) == (0, spent, 0.0)


def test_atoms_are_put_back_and_foreign_frames_are_named(folder: Path, tmp_path: Path) -> None:
    jobs = exported(folder, tmp_path / "jobs")
    names = sorted(path.name for path in jobs.iterdir() if path.is_dir())
    right = computed(jobs / names[0] / "frame.xyz")
    order = [2, 0, 1]
    own = {name: getattr(right, name)[order] for name in ("numbers", "positions", "forces")}
    write(jobs / names[0] / "result.xyz", right.replace(**own))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    turned, moved, other = (computed(jobs / name / "frame.xyz") for name in names[1:4])
    turned = turned.replace(positions=turned.positions @ turn.T, forces=turned.forces @ turn.T)
    write(jobs / names[1] / "result.xyz", turned)
    write(jobs / names[2] / "result.xyz", moved.replace(positions=moved.positions + np.array([0, 0, 2.0])))
    write(jobs / names[3] / "result.xyz", other.replace(numbers=[16, 1, 1]))
    write(tmp_path / "alone.xyz", turned.replace(group=""))
    found = brought(folder, jobs, tmp_path / "alone.xyz")
    assert found.stored == {"hf(sto)": 1}
    told = "\n".join(found.refused)
    assert f"{names[1]}/result.xyz is not of frame {names[1]}: it was rotated" in told
    assert f"{names[2]}/result.xyz is not of frame {names[2]}: it was moved by 2 Å" in told
    assert f"{names[3]}: it is of another molecule, H2S instead of H2O" in told
    assert f"beside the nearest, {names[1]}, it was rotated" in told
    assert len(found.refused) == 4
    campaign = open_campaign(folder)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        kept = store.labelled(campaign.accurate, (names[0],))
    assert kept.numbers.tolist() == [8, 1, 1]
    np.testing.assert_allclose(kept.forces, right.forces, atol=1e-12)


def test_a_template_is_the_persons_own(folder: Path, tmp_path: Path) -> None:
    jobs = exported(folder, tmp_path / "jobs")
    home = folder / "templates" / "hf(sto)"
    assert {path.name for path in home.iterdir()} == {"orca.inp", "psi4.dat", "gaussian.gjf"}
    (home / "orca.inp").write_text("! HF STO-3G EnGrad PAL4\n* xyz {charge} {multiplicity}\n{xyz}\n*\n")
    (home / "psi4.dat").unlink()
    job = next(path for path in jobs.iterdir() if path.is_dir())
    (job / "psi4.dat").unlink()
    assert exported(folder, tmp_path / "jobs") == jobs
    head, state, *rows, _ = (job / "orca.inp").read_text().splitlines()
    assert (head, state) == ("! HF STO-3G EnGrad PAL4", "* xyz 0 1")
    written = np.array([row.split()[1:] for row in rows], dtype=float)
    np.testing.assert_allclose(written, ase_read(job / "frame.xyz").positions, atol=1e-10)
    assert not (job / "psi4.dat").exists()


def test_a_campaign_without_such_a_level_says_so(tmp_path: Path) -> None:
    (tmp_path / "fidsel.toml").write_text(CONFIG)
    for do in (export_labels, import_labels):
        with pytest.raises(UsageError, match="no level of this campaign is computed by other people"):
            do(open_campaign(tmp_path), tmp_path / "out")
