"""A table may grow while a campaign takes labels from it; what was taken must stay."""

from pathlib import Path

import numpy as np
import pytest
from command_line import write_campaign

from fidsel.campaign.plans.prepare import ensure_pool
from fidsel.campaign.workspace import Workspace, open_workspace
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError


def silent(what: str, done: int, total: int) -> None:
    """Hear nothing."""


def arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "pool.npz") as archive:
        return {name: archive[name] for name in archive.files}


def keep_pool(folder: Path) -> None:
    """Let the pool come from a file of its own, so that the table alone changes."""
    (folder / "pool.npz").rename(folder / "frames.npz")
    text = (folder / "fidsel.toml").read_text()
    (folder / "fidsel.toml").write_text(text.replace('path = "pool.npz"', 'path = "frames.npz"', 1))
    with np.load(folder / "frames.npz") as archive:
        np.savez(folder / "pool.npz", **archive)


def bought(ws: Workspace, level: int, rows: slice) -> int:
    fidelity = ws.campaign.fidelities[level]
    return len(ws.buy(fidelity, ws.pool.ids[rows], "test").ids_done)


def test_labels_are_added_to_a_table_of_a_running_campaign(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    keep_pool(folder)
    whole = arrays(folder)
    energy, forces = whole["E_accurate"].copy(), whole["F_accurate"].copy()
    energy[70:], forces[70:] = np.nan, np.nan
    np.savez(folder / "pool.npz", **whole | {"E_accurate": energy, "F_accurate": forces})
    with open_workspace(open_campaign(folder), silent) as ws:
        ensure_pool(ws.campaign, ws.journal)
        assert bought(ws, 1, slice(65, 75)) == 5
        assert len(ws.store.failed_ids(ws.campaign.accurate)) == 5
    np.savez(folder / "pool.npz", **whole)
    with open_workspace(open_campaign(folder), silent) as ws:
        assert bought(ws, 1, slice(65, 75)) == 5
        labelled = ws.store.labelled(ws.campaign.accurate)
        assert labelled.energy.tolist() == whole["E_accurate"].ravel()[65:75].tolist()
        assert ws.store.failed_ids(ws.campaign.accurate) == ()


def test_another_label_in_the_table_stops_the_campaign(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    keep_pool(folder)
    whole = arrays(folder)
    with open_workspace(open_campaign(folder), silent) as ws:
        ensure_pool(ws.campaign, ws.journal)
        assert bought(ws, 0, slice(0, 10)) == 10
        assert bought(ws, 1, slice(0, 3)) == 3
    energy = whole["E_accurate"].copy()
    energy[40] += 1.0
    np.savez(folder / "pool.npz", **whole | {"E_accurate": energy})
    with open_workspace(open_campaign(folder), silent):
        pass
    energy[2] += 1e-3
    np.savez(folder / "pool.npz", **whole | {"E_accurate": energy})
    for _ in range(2):
        with (
            pytest.raises(UsageError, match=r"1 of 3 labels taken from .*not changed: put the file back"),
            open_workspace(open_campaign(folder), silent),
        ):
            pass
    np.savez(folder / "pool.npz", **whole)
    with open_workspace(open_campaign(folder), silent) as ws:
        assert bought(ws, 1, slice(0, 5)) == 2


def test_the_same_labels_in_another_order_of_atoms_will_do(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    keep_pool(folder)
    whole, order = arrays(folder), np.array([3, 1, 0, 2])
    for name in ("R", "F_cheap", "F_accurate"):
        whole[name] = whole[name][:, order]
    np.savez(folder / "pool.npz", **whole | {"z": whole["z"][order]})
    with open_workspace(open_campaign(folder), silent) as ws:
        pool = ensure_pool(ws.campaign, ws.journal)
        assert bought(ws, 1, slice(0, 80)) == 80
        labelled = ws.store.labelled(ws.campaign.accurate)
        assert np.array_equal(labelled.positions, pool.positions)
        back = whole["F_accurate"][:, np.argsort(order)]
        np.testing.assert_array_equal(labelled.dense().forces, back)
