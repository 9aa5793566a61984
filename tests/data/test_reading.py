import logging
import resource
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write as write_by_ase
from damage import damaged_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fidsel.data import Frames, Units, read, read_with_notes, write
from fidsel.data.formats.electrons import NAMES
from fidsel.data.formats.labels import KNOWN
from fidsel.data.frames import PER_ATOM, PER_FRAME
from fidsel.data.reading import FORMATS, NAMED, last_structure, read_logged, read_structure
from fidsel.exceptions import FidselError, UsageError
from fidsel.testing import example_frames

SUFFIXES = [".extxyz", ".npz", ".db"]


def assert_same(a: Frames, b: Frames) -> None:
    for name in (*PER_ATOM, *PER_FRAME, "offsets"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.ids == b.ids


def water(n: int = 3) -> Frames:
    rng = np.random.default_rng(0)
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + rng.normal(0, 0.05, (n, 3, 3))
    forces = rng.normal(0, 1, (n, 3, 3))
    return Frames.stack([8, 1, 1], positions, energy=rng.normal(-2000, 1, n), forces=forces, level="b3lyp")


reals = st.floats(-1e6, 1e6)
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
) | st.sampled_from(
    [
        "ccsd(t)",
        "6",
        "T",
        "nan",
        "1e5",
        "ωB97X-D/def2",
        'a "b" c',
        "back\\slash",
        "two\nlines",
        "_JSON 1",
        "a=b",
        "{x}",
    ]
)


@st.composite
def frame_sets(draw: st.DrawFn) -> Frames:
    """Frames of the same atoms with any labels missing, wholly or in part."""
    n, size = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    column = {"min_size": n, "max_size": n}
    labels = reals | st.just(float("nan"))
    return Frames.stack(
        draw(st.lists(st.integers(1, 118), min_size=size, max_size=size)),
        draw(arrays(float, (n, size, 3), elements=reals)),
        energy=draw(arrays(float, n, elements=labels)),
        forces=draw(arrays(float, (n, size, 3), elements=labels)),
        cell=draw(arrays(float, (n, 3, 3), elements=reals)),
        pbc=draw(arrays(bool, (n, 3))),
        charge=draw(st.lists(st.integers(-5, 5), **column)),
        spin=draw(st.lists(st.integers(0, 5), **column)),
        level=draw(st.lists(texts, **column)),
        group=draw(st.lists(texts, **column)),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=25, deadline=None)
@given(frames=frame_sets())
def test_what_is_written_reads_back(
    suffix: str, frames: Frames, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("round") / f"frames{suffix}"
    assert_same(read(write(path, frames)), frames)


@pytest.mark.parametrize("suffix", [".xyz", ".db"])
def test_frames_of_different_molecules_read_back(suffix: str, tmp_path: Path) -> None:
    frames = water() + Frames.from_atoms([Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])], group="co")
    assert_same(read(write(tmp_path / f"mixed{suffix}", frames)), frames)


def test_an_npz_archive_refuses_different_molecules(tmp_path: Path) -> None:
    frames = water() + Frames.from_atoms([Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])])
    with pytest.raises(UsageError, match="same atoms in the same order"):
        write(tmp_path / "mixed.npz", frames)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_earlier_file(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"frames{suffix}", water())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(FidselError, match=f"could not write .*frames{suffix}"):
            write(path, water(200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert_same(read(path), water())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_level_and_group_fill_what_the_file_leaves_open(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"frames{suffix}", water().replace(level=""))
    frames = read(path, level="mp2", group="run 1")
    assert set(frames.level) == {"mp2"}
    assert set(frames.group) == {"run 1"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_level_must_not_contradict_the_file(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"frames{suffix}", water())
    assert set(read(path, level="b3lyp").level) == {"b3lyp"}
    with pytest.raises(UsageError, match="names the level 'b3lyp', but 'mp2' was given"):
        read(path, level="mp2")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_asking_an_unlabelled_file_for_labels_fails(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"pool{suffix}", water().unlabelled())
    assert np.isnan(read(path).energy).all()
    with pytest.raises(UsageError, match=r"no frame of .*pool.* has the labels that level 'mp2' asks for"):
        read(path, level="mp2")
    with pytest.raises(UsageError, match=r"no frame of .*pool.* has a label under 'E_mp2'; keys in the file"):
        read(path, energy_key="E_mp2")


def test_given_units_convert_positions_cell_and_labels(tmp_path: Path) -> None:
    frames = water().replace(cell=np.tile(np.eye(3) * 9.0, (3, 1, 1)))
    path, units = write(tmp_path / "frames.extxyz", frames), Units("Hartree", "Bohr")
    converted = read(path, units=units)
    np.testing.assert_allclose(converted.positions, frames.positions * units.length_factor, rtol=1e-15)
    np.testing.assert_allclose(converted.cell, frames.cell * units.length_factor, rtol=1e-15)
    np.testing.assert_allclose(converted.energy, frames.energy * units.energy_factor, rtol=1e-15)
    np.testing.assert_allclose(converted.forces, frames.forces * units.force_factor, rtol=1e-15)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_named(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"empty{suffix}").touch()
    with pytest.raises(UsageError, match=f"empty{suffix} is empty"):
        read(tmp_path / f"empty{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_corrupt_file_is_named(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"noise{suffix}").write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(UsageError, match=rf"noise\{suffix}"):
        read(tmp_path / f"noise{suffix}", units=Units())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_named(suffix: str, share: float, tmp_path: Path) -> None:
    path = write(tmp_path / f"cut{suffix}", water(500))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UsageError, match=rf"cut\{suffix}"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_bytes_never_raise_anything_but_a_usage_error(suffix: str, tmp_path: Path) -> None:
    path, rng, refused = write(tmp_path / f"frames{suffix}", water()), np.random.default_rng(0), 0
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    for _ in range(150):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=5)] = rng.integers(0, 256, 5)
        path.write_bytes(damaged.tobytes())
        try:
            read(path)
        except UsageError:
            refused += 1
    assert refused > 10


def test_an_absent_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "ethanol.npz", water())
    with pytest.raises(UsageError, match=r"there is no file .*etanol\.npz; did you mean ethanol\.npz"):
        read(tmp_path / "etanol.npz")
    with pytest.raises(UsageError, match=r"there is no file .*it was looked for from"):
        read(tmp_path / "nowhere" / "a.npz")


def test_a_folder_without_outputs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.db").mkdir()
    (tmp_path / "data.db" / "notes.log").write_text("nothing of a program")
    with pytest.raises(UsageError, match=r"the folder .*data\.db holds no labels: it has no output of ORCA"):
        read(tmp_path / "data.db")


@pytest.mark.parametrize("name", ["frames.npy", "frames.cif", "frames"])
def test_an_unknown_format_lists_the_known_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown file format .*\.db, .*\.extxyz, .*\.npz, .*\.xyz"):
        read(tmp_path / name)
    with pytest.raises(UsageError, match="unknown file format"):
        write(tmp_path / name, water())


def test_no_frames_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no frames to write"):
        write(tmp_path / "none.npz", water()[:0])


def test_the_page_of_files_names_what_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    names = {f"`{suffix}`" for suffix in FORMATS} | {f"`{name}`" for name in (*NAMES, *NAMED)}
    names |= {f"`{name}`" for plain in KNOWN.values() for name in plain}
    assert {name for name in names if name not in page} == set()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_configurations_are_read_whatever_labels_stand_beside_them(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"frames{suffix}", water())
    frames, notes = read_with_notes(path, labels=False)
    assert np.isnan(frames.energy).all()
    assert np.isnan(frames.forces).all()
    np.testing.assert_array_equal(frames.positions, read(path).positions)
    assert notes[0] == "3 configurations, units eV,Angstrom"


def test_the_last_structure_keeps_the_charge_that_its_file_names(tmp_path: Path) -> None:
    named = write(tmp_path / "a.xyz", water().replace(charge=[0, 0, -1]))
    assert last_structure(named).info == {"charge": -1, "spin": 0}
    (tmp_path / "b.xyz").write_text("1\n\nO 0 0 0\n")
    assert last_structure(tmp_path / "b.xyz").info == {}


def test_notes_are_logged(tmp_path: Path) -> None:
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("fidsel.data")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        path = write(tmp_path / "a.xyz", water())
        assert_same(read_logged(path), water())
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
    assert told[0].startswith(f"{path}: energies from 'energy' (3 of 3 frames)")


def test_units_may_be_given_in_words(tmp_path: Path) -> None:
    file = write(tmp_path / "water.extxyz", example_frames(3))
    said, parsed = (read(file, units=units) for units in ("kcal/mol,Bohr", Units.parse("kcal/mol,Bohr")))
    assert np.array_equal(said.energy, parsed.energy)
    assert np.array_equal(said.positions, parsed.positions)
    assert not np.allclose(said.positions, example_frames(3).positions)
    with pytest.raises(UsageError, match="parsec"):
        read(file, units="eV,parsec")


@pytest.mark.parametrize("name", ["mol.foo", "mol", "mol.docx", "ü.%20"])
def test_an_ending_that_names_no_format(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("C 0 0 0\n")
    with pytest.raises(
        UsageError, match=r"structure .* has an ending that ASE knows no format for: take xyz"
    ):
        read_structure(tmp_path / name)


@pytest.mark.parametrize(
    "ending", ["xyz", "pdb", "cif", "mol", "sdf", "json", "traj", "gjf", "in", "vasp", "db"]
)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_of_a_structure_is_told(tmp_path: Path, ending: str, data: st.DataObject) -> None:
    path = tmp_path / f"mol.{ending}"
    write_by_ase(tmp_path / "whole.xyz", molecule("CH3OH"))
    path.write_bytes(data.draw(damaged_bytes((tmp_path / "whole.xyz").read_bytes())))
    with suppress(UsageError):
        read_structure(path)


def test_names_in_the_file_are_told_where_labels_are_found_under_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.extxyz", example_frames(2))
    text = path.read_text()
    path.write_text(text.replace("energy=", "dft_E=").replace("forces:R:3", "dft_F:R:3"))
    assert "not read: dft_E, dft_F" in read_with_notes(path)[1]
    path.write_text(text.replace("forces:R:3", "dft_F:R:3"))
    assert "not read: dft_F" in read_with_notes(path)[1]
    path.write_text(text)
    assert not [note for note in read_with_notes(path)[1] if note.startswith("not read")]
