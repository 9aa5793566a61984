import logging
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data import write
from fidsel.data.label_file import LabelFile, logged, require_one_level, unheard
from fidsel.data.units import Units
from fidsel.exceptions import UsageError


@pytest.mark.parametrize(
    ("text", "path", "energy", "forces"),
    [
        ("a.npz", "a.npz", None, None),
        ("a.npz:E:F", "a.npz", "E", "F"),
        ("a.npz:E", "a.npz", "E", None),
        ("a.npz::F", "a.npz", None, "F"),
        ("b/a.1.extxyz:E:F", "b/a.1.extxyz", "E", "F"),
        ("/x/y:z/a.npz:E:F", "/x/y:z/a.npz", "E", "F"),
        (r"C:\data\a.npz", r"C:\data\a.npz", None, None),
        (r"C:\my.data\a.npz:E:F", r"C:\my.data\a.npz", "E", "F"),
    ],
)
def test_colons_name_the_labels(text: str, path: str, energy: str | None, forces: str | None) -> None:
    assert LabelFile(text).parts == (Path(path), energy, forces)


def test_file_that_exists_is_taken_as_it_is(tmp_path: Path) -> None:
    odd = write(tmp_path / "a.npz:b:c.extxyz", frames(3))
    assert LabelFile(str(odd)).parts == (odd, None, None)


@pytest.mark.parametrize("text", ["a.npz:E:F:G", "nothing", "a.npz:x/y"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="labels are written FILE or FILE:ENERGY_KEY:FORCES_KEY"):
        _ = LabelFile(text).parts


def test_frames_of_no_level_get_the_one_that_is_said(tmp_path: Path) -> None:
    file = LabelFile(str(write(tmp_path / "a.extxyz", frames(3, level=""))))
    assert set(file.read("accurate").level.tolist()) == {"accurate"}
    named = LabelFile(str(write(tmp_path / "b.extxyz", frames(3, level="mp2"))))
    assert set(named.read("accurate").level.tolist()) == {"mp2"}


def test_units_are_those_of_the_file(tmp_path: Path) -> None:
    some = frames(2)
    path = str(write(tmp_path / "a.extxyz", some))
    read = LabelFile(path, units="kcal/mol,Angstrom").read("accurate")
    np.testing.assert_allclose(read.energy, some.energy * 0.0433641, rtol=1e-6)


def test_a_file_without_labels(tmp_path: Path) -> None:
    bare = LabelFile(str(write(tmp_path / "bare.extxyz", frames(2).unlabelled())))
    assert len(bare.read("accurate", labelled=False)) == 2
    with pytest.raises(
        UsageError, match=r"bare\.extxyz has no labels; name them as .*keys in the file: none"
    ):
        bare.read("accurate")


def test_wrong_labels_are_refused_unless_trusted(tmp_path: Path) -> None:
    some = frames(20)
    wrong = some.replace(forces=-some.forces)
    with pytest.raises(UsageError, match=r"a\.npz cannot be trained on.*wrong sign.*--trust-labels"):
        LabelFile("a.npz").check(wrong)
    told = LabelFile("a.npz", trusted=True).check(wrong)
    assert "wrong sign" in told[0]
    assert LabelFile("a.npz").oddities(wrong) == told
    assert LabelFile("a.npz").check(some) == ()


def test_files_of_several_molecules_are_written_with_commas(tmp_path: Path) -> None:
    one = write(tmp_path / "a.extxyz", frames(3))
    other = write(tmp_path / "b,c.extxyz", frames(2, 1))
    assert len(LabelFile(str(other)).read("dft")) == 2
    both = LabelFile(f"{one}, {tmp_path / 'a.extxyz'}:energy:forces")
    assert [file.parts[1:] for file in both.files] == [(None, None), ("energy", "forces")]
    assert both.name == both.text
    read = both.read("dft")
    np.testing.assert_array_equal(read.energy, np.tile(frames(3).energy, 2))
    with pytest.raises(UsageError, match="b"):
        LabelFile(f"{one},{tmp_path / 'b.extxyz'}").read("dft")


def test_sentences_are_warnings_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    logged("forces have the wrong sign")
    unheard("nothing")
    assert [(one.levelno, one.name, one.getMessage()) for one in caplog.records] == [
        (logging.WARNING, "fidsel.labels", "forces have the wrong sign")
    ]


def test_only_frames_without_a_level_are_given_one() -> None:
    some = frames(2, level="mp2").replace(level="") + frames(2, 1, level="cheap")
    assert LabelFile.of(some).read("accurate").level.tolist() == ["accurate"] * 2 + ["cheap"] * 2
    with pytest.raises(UsageError, match="must hold labels of one level, got accurate and cheap"):
        require_one_level(LabelFile.of(some).read("accurate"), "the frames")


def test_units_are_of_paths_and_trust_of_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.extxyz", frames(3))
    for units in ("kcal/mol,Angstrom", Units.parse("kcal/mol,Angstrom")):
        file = LabelFile.of(path, units, trusted=True)
        assert file.trusted
        np.testing.assert_allclose(file.read("a").energy, frames(3).energy * 0.0433641, rtol=1e-5)
    with pytest.raises(UsageError, match=r"units are a text such as .*got \('kcal/mol', 'Ang'\)"):
        LabelFile.of(path, ("kcal/mol", "Ang"))  # type: ignore[arg-type]
