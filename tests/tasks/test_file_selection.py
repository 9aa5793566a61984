"""A selection from a file as an object: its rounds, its document and how it is shown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_task import task

from fidsel.campaign.selection.picks_file import read_rounds
from fidsel.data.label_file import LabelFile
from fidsel.tasks.file_selection import FileSelection, Request


def opened(out: Path) -> FileSelection:
    """Return a selection from 120 frames beside its control arm, none of whose rounds is done."""
    made = task()
    pool = LabelFile("pool.npz", frames=made.frames)
    request = Request(pool, "sgdml", "cluster-error", None, None, (), made.selection, control=True, out=out)
    return FileSelection(request, made, {"seed": 0}, (), made.control_arm(), [], [])


def test_every_round_is_in_the_file_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = opened(tmp_path / "picks.npz")
    assert repr(found) == "FileSelection(pool.npz: no round yet)"
    for told in found.run():
        kept, control = read_rounds(found.request.out, found.settings)
        assert len(kept) == len(control) == told.index + 1
        assert kept[-1].picks == told.picks
    document = found.document()
    assert document["stop"].startswith("round limit")
    assert [len(one["picks"]) for one in document["rounds"]] == [0, 5, 5]
    assert repr(found) == f"FileSelection(pool.npz: 3 rounds, 20 labels; {document['stop']})"
    picked = [row for one in document["rounds"] for row in one["picks"]]
    kept_frames = found.model().training_frames
    assert kept_frames is not None
    assert set(found.task.frames.rows(kept_frames.ids)) == {*found.task.division.start.tolist(), *picked}
    assert found.report().title == "Selection from pool.npz"
    assert np.isfinite(found.report().errors.overall)
    (tmp_path / "outputs").mkdir()
    monkeypatch.chdir(tmp_path / "outputs")
    here = replace(found, request=replace(found.request, pool=replace(found.request.pool, text=".")))
    assert here.report().title == "Selection from outputs"
