import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_task import task

from fidsel.campaign.selection.loop import select
from fidsel.campaign.selection.picks_file import PicksFile, plain_round, read_known, read_rounds
from fidsel.exceptions import UsageError

SETTINGS = {"picker": "cluster-error", "seed": 0, "nested": {"a": (1, 2)}}


def saved(path: Path) -> PicksFile:
    made = task(error="probe")
    rounds = tuple(select(made))
    kept = PicksFile(SETTINGS, made.division, rounds, tuple(select(made.control_arm())))
    kept.save(path)
    return kept


def test_rounds_survive_a_trip_through_the_file(tmp_path: Path) -> None:
    kept = saved(tmp_path / "picks.npz")
    rounds, control = read_rounds(tmp_path / "picks.npz", SETTINGS)
    assert tuple(rounds) == kept.rounds
    assert tuple(control) == kept.control
    assert json.loads(json.dumps(plain_round(rounds[2])))["why"] == "round limit"


def test_arrays_are_what_a_person_needs(tmp_path: Path) -> None:
    kept = saved(tmp_path / "picks.npz")
    with np.load(tmp_path / "picks.npz", allow_pickle=False) as file:
        assert file["picks"].shape == file["round"].shape == file["cluster"].shape == file["reason"].shape
        assert file["round"].tolist() == [1] * 5 + [2] * 5
        assert (file["start"] == kept.division.start).all()
        assert (file["held_out"] == kept.division.held_out).all()
        assert len(file["probes"]) == 8
    np.testing.assert_array_equal(read_known(tmp_path / "picks.npz"), np.ones(120, dtype=bool))


def test_absent_file_holds_nothing(tmp_path: Path) -> None:
    assert read_rounds(tmp_path / "none.npz", SETTINGS) == ([], [])
    assert read_known(tmp_path / "none.npz") is None


def test_other_selections_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "picks.npz"
    saved(path)
    with pytest.raises(UsageError, match=r"holds another selection \(it differs in seed\)"):
        read_rounds(path, SETTINGS | {"seed": 1})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="is not a file of picks"):
        read_rounds(path, SETTINGS)
    path.write_bytes(whole)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["rounds"] = np.array('[{"index": 0}]')
    np.savez(path, **arrays)
    with pytest.raises(UsageError, match="is not a file of picks"):
        read_rounds(path, SETTINGS)
    np.savez(path, other=np.zeros(3))
    for read in (read_known, partial(read_rounds, task=SETTINGS)):
        with pytest.raises(UsageError, match="is not a file of picks"):
            read(path)
