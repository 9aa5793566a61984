"""A backup is whole, taken at any moment, and a campaign goes on from it as the original does."""

import os
import shutil
from pathlib import Path
from time import sleep

import pytest
from tiny_campaign import check_consistent, labels, picks, rounds, run, start, write_campaign

from fidsel.campaign.backup import back_up, outside
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore


def copied(folder: Path) -> dict[str, bytes]:
    """Content of every file of a campaign but the store's, by its path inside the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith("labels.db")}


def test_a_backup_holds_all_of_a_campaign(finished: Path, tmp_path: Path) -> None:
    target = tmp_path / "50% of #1?&" / "copy"
    target.parent.mkdir()
    assert back_up(finished, target) == len(labels(finished))
    assert copied(target) == copied(finished)
    assert {path.name for path in target.iterdir()} >= {
        "labels.db",
        "labels.db.seal",
        "fidsel.toml",
        "rounds",
    }
    assert not (target / "labels.db.lock").exists()
    assert labels(target) == labels(finished)
    with (
        LabelStore(target / "labels.db", read_only=True) as copy,
        LabelStore(finished / "labels.db") as store,
    ):
        assert copy.identity == store.identity
    run(target, "campaign.rounds=3", "budget.total=40")
    assert [path.name for path in tmp_path.iterdir()] == ["50% of #1?&"]


@pytest.mark.slow
def test_a_backup_of_a_campaign_under_way_goes_on_as_the_original(tmp_path: Path) -> None:
    slow = ("pause = 0.01", "pause = 0.1")
    folder = write_campaign(tmp_path / "original", 120, *slow)
    child = start(folder)
    copies = []
    while child.poll() is None:
        if (folder / "rounds" / f"{len(copies):04d}").exists() or not copies:
            sleep(0.5)
            if (folder / "labels.db").exists():
                copies.append(tmp_path / f"copy-{len(copies)}")
                back_up(folder, copies[-1])
        sleep(0.05)
    assert child.returncode == 0, child.communicate()[1]
    child.communicate()
    assert len(copies) >= 2
    for copy in copies:
        assert len(rounds(copy)) < len(rounds(folder)) or copy is copies[-1]
        run(copy)
        check_consistent(copy)
        assert picks(copy) == picks(folder)
        assert labels(copy) == labels(folder)


def test_what_cannot_be_backed_up_is_refused(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match=r"is made in a new folder, and .*there exists: name another"):
        back_up(finished, tmp_path / "there")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(UsageError, match="dangling exists"):
        back_up(finished, tmp_path / "dangling")
    with pytest.raises(UsageError, match=r"lies outside the folder it is of, got .*inside: name another"):
        back_up(finished, finished / "inside")
    with pytest.raises(UsageError, match="must be a campaign's folder, with its labels"):
        back_up(tmp_path, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "there"]


def test_a_damaged_store_leaves_no_backup(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "folder"))
    os.truncate(folder / "labels.db", (folder / "labels.db").stat().st_size // 2)
    with pytest.raises(Exception, match="it is damaged, and labels may be lost"):
        back_up(folder, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_links_are_copied_as_files_and_pipes_are_left_out(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "folder"))
    (tmp_path / "far.npz").write_bytes(b"far")
    (folder / "near.npz").symlink_to(tmp_path / "far.npz")
    (folder / "gone.npz").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    back_up(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "near.npz").read_bytes() == b"far"
    assert not (tmp_path / "copy" / "near.npz").is_symlink()
    assert not {"gone.npz", "pipe"} & {path.name for path in (tmp_path / "copy").iterdir()}


def test_paths_that_lead_out_of_the_folder_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    folder.mkdir()
    assert outside(folder) == ()
    for name in ("pool.xyz", "table.npz", "campaign/own.npz"):
        (tmp_path / name).touch()
    (folder / "fidsel.toml").write_text(
        '[campaign]\nname = "../absent"\n[pool]\npath = "../pool.xyz"\n'
        '[[fidelity]]\npath = "../campaign/own.npz"\n[[fidelity]]\npath = "../table.npz"\n'
    )
    assert outside(folder) == ("../pool.xyz", "../table.npz")
    (folder / "fidsel.toml").write_text("[pool")
    with pytest.raises(UsageError, match="is not valid TOML"):
        outside(folder)
