"""Jobs for other people: a folder for each label that is awaited."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from fidsel.data import Frames
from fidsel.data.atomic import make_folder
from fidsel.data.formats.extxyz_dump import dump
from fidsel.exceptions import UsageError
from fidsel.fidelity.inbox.templates import filled, templates
from fidsel.fidelity.label_values import plain_text
from fidsel.fidelity.level import Fidelity

JOB: Final = "job.json"
"""In the folder of a job: which frame, level and settings it is of."""
FRAME: Final = "frame.xyz"
ALL: Final = "frames.xyz"
"""All frames of a level, beside the folders of its jobs."""


@dataclass(frozen=True)
class Job:
    """What a job is of.

    Parameters
    ----------
    frame : id of the configuration.
    level, key : name of the level of theory, and hash of its settings.
    """

    frame: str
    level: str
    key: str

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return the job in whose folder, or below it, a file is; None where it is in none.

        Raises `UsageError` where what the folder says of its job cannot be read.
        """
        found = next((one / JOB for one in path.absolute().parents if (one / JOB).is_file()), None)
        if found is None:
            return None
        try:
            told = json.loads(found.read_text(encoding="utf-8"))
            return cls(*(plain_text(str(told[name])) for name in ("frame", "level", "key")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{found} does not say its job ({error}): export it again") from error


def folder_of(level: Fidelity) -> str:
    """Return the name of a level as that of a folder.

    >>> from fidsel.fidelity.level import Price
    >>> from fidsel.fidelity.sources.inbox import InboxSource
    >>> folder_of(Fidelity("PBE/6-31G*", InboxSource("pbe", "6-31g*"), Price(1.0, "label")))
    'PBE%2F6-31G*'
    """
    return quote(level.name, safe="()*+,= ")


def write_jobs(out: Path, home: Path, level: Fidelity, frames: Frames) -> Path:
    """Write a folder for each frame, and return the folder that they are in.

    In each are the frame (`frame.xyz`), the level's settings and the frame's id (`job.json`), and inputs of
    programs from the level's templates, but for periodic frames. What is there already is written again;
    other files stay.

    Parameters
    ----------
    out : where the jobs go.
    home : where the templates of all levels are; they are made where there are none.
    """
    folder = out / folder_of(level)
    make_folder(folder)
    texts, settings = templates(home / folder_of(level), level.source.settings()), level.source.settings()
    for i, frame in enumerate(frames.ids):
        job, atoms = folder / frame, frames[i]
        make_folder(job)
        charge, spin = int(frames.charge[i]), int(frames.spin[i])
        told = {
            "frame": frame, "level": level.name, "key": level.key, "settings": dict(settings),
            "formula": frames.formulas[i], "charge": charge, "multiplicity": spin + 1,
        }  # fmt: skip
        (job / JOB).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        dump(job / FRAME, frames[[i]].replace(group=frame))
        for name, text in {} if frames.pbc[i].any() else texts.items():
            (job / name).write_text(filled(text, atoms, frame, f"{home / folder_of(level) / name}"))
    dump(folder / ALL, frames.replace(group=list(frames.ids)))
    return folder
