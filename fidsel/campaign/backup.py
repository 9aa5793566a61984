"""A copy of a campaign from which it can go on, also while a process drives it."""

import os
import shutil
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.data.atomic import replacing_folder
from fidsel.exceptions import UsageError
from fidsel.fidelity.store.database import explained
from fidsel.fidelity.store.labels import LabelStore

COMPANIONS: Final = {
    "labels.db",
    *(f"labels.db{end}" for end in ("-wal", "-shm", "-journal", ".lock", ".seal", ".running")),
}
MADE_ANEW: Final = ("mlflow.db", "mlartifacts")
"""What the tracker makes again from `rounds/`, or sets aside, by the beginnings of their names; a copy of it
would point to the files of the original."""


def back_up(folder: Path, target: Path) -> int:
    """Copy a campaign into a new folder and return how many labels the copy holds.

    The rounds and all other files are copied first and the store last, as it is at one moment (by SQLite's
    backup): so the copy holds the labels of all its rounds, and a round that was under way is done again from
    the labels that were bought. What begins with a dot and MLflow's files are left out; a link is copied as
    the file it leads to. Where something fails no folder is left. Raises a `UsageError` where the folder
    holds no campaign, the target exists, or one lies inside the other, and a `FidselError` where something
    cannot be read or written.
    """
    home = CampaignFolder(folder)
    if not home.store.is_file():
        raise UsageError(f"{folder} must be a campaign's folder, with its labels.db, to be backed up")
    if target.exists() or target.is_symlink():
        raise UsageError(f"a backup is made in a new folder, and {target} exists: name another one")
    if target.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"a backup lies outside the folder it is of, got {target}: name another one")
    with replacing_folder(target) as made:
        shutil.copytree(folder, made, ignore=_left_out, ignore_dangling_symlinks=True, dirs_exist_ok=True)
        return copy_store(home.store, CampaignFolder(made).store)


def copy_store(source: Path, target: Path) -> int:
    """Copy a label store as it is at one moment, with its seal; return how many labels it holds.

    Raises a `StoreError` where one of them cannot be used.
    """
    opened = LabelStore(source, read_only=True)
    with opened as store, explained(target), closing(sqlite3.connect(target)) as copy:
        store.connection.backup(copy)
    with LabelStore(target) as store:
        return store.count()


def _left_out(folder: str, names: Iterable[str]) -> set[str]:
    """Return which names of a folder are not copied: the store and its companions, and what is no file."""
    here = Path(folder)
    return {
        name
        for name in names
        if name.startswith((".", *MADE_ANEW))
        or name in COMPANIONS
        or not ((here / name).is_file() or (here / name).is_dir())
    }


def outside(folder: Path) -> tuple[str, ...]:
    """Return the relative paths in fidsel.toml that lead to files outside the folder, which a copy lacks."""
    config = CampaignFolder(folder).config
    if not config.is_file():
        return ()
    try:
        settings = tomllib.loads(config.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{config} is not valid TOML: {error}") from error
    found = [text for text in _texts(settings) if _leads_out(folder.resolve(), text)]
    return tuple(dict.fromkeys(found))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _leads_out(root: Path, text: str) -> bool:
    if not text.startswith("..") or Path(text).is_absolute():
        return False
    return not Path(os.path.normpath(root / text)).is_relative_to(root) and (root / text).exists()
