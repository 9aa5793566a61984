"""What the run of a campaign says of it beside numbers: its name, tags, and a description in words."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fidsel.campaign.records.best import best_round, best_words
from fidsel.campaign.records.round import Round
from fidsel.campaign.rounds.measure import error_unit
from fidsel.data import read
from fidsel.fidelity.budget import Budget
from fidsel.tracking.entries import LONGEST
from fidsel.tracking.view import SEED, STRATEGY

PACKAGES = ("numpy", "torch", "openmm", "pyscf", "tblite", "ase", "rdkit")
"""Packages that decide what labels and models are."""
CONTROL = "control arm"


def strategy(config: Mapping[str, Any]) -> str:
    """Return how a campaign picks and trains, in words: what several seeds of it have in common."""
    model, recipe = (config.get(section, {}).get("kind", "") for section in ("model", "recipe"))
    return " · ".join(part for part in (picker(config), recipe, model) if part)


def picker(config: Mapping[str, Any]) -> str:
    """Return the name of the picker."""
    return str(config.get("selector", {}).get("kind", ""))


def title(strategy: str, seed: int | str, molecule: str, *more: str) -> str:
    """Return the name of a run, what tells it from others first: charts cut names off.

    >>> title("cluster-error · cokriging · sgdml", 0, "CH2O")
    'cluster-error · cokriging · sgdml · seed 0 · CH2O'
    """
    return " · ".join(part for part in (strategy, f"seed {seed}", molecule, *more) if part)


def campaign_tags(config: Mapping[str, Any], molecule: str, folder: Path) -> dict[str, str]:
    """Return the tags of a campaign's run: what it is of, how it works, and what it was sent with.

    Parameters
    ----------
    config : its expanded configuration.
    molecule : formula, or formulae.
    folder : of the campaign; the commit of a git repository that it lies in is told.
    """
    smiles = config.get("pool", {}).get("smiles") or ""
    tags = {
        "molecule": molecule,
        "SMILES": smiles if isinstance(smiles, str) else ", ".join(smiles),
        "levels": " → ".join(str(level.get("name", "")) for level in config.get("fidelity", ())),
        "recipe": str(config.get("recipe", {}).get("kind", "")),
        "model": str(config.get("model", {}).get("kind", "")),
        "picker": picker(config),
        SEED: str(config.get("campaign", {}).get("seed", "")),
        STRATEGY: strategy(config),
        "fidsel": version("fidsel"),
        "packages": _versions(),
        "mlflow.source.name": "fidsel",
        "mlflow.source.git.commit": _commit(folder),
    }
    return {name: text[:LONGEST] for name, text in tags.items() if text}


def formulae(data: Path) -> str:
    """Return the chemical formulae of the frames in a file, "" where there is none."""
    return ", ".join(read(data).composition()) if data.exists() else ""


def description(
    rounds: Sequence[Round], budget: Budget, loading: Sequence[str] = (), ended: str | None = None
) -> str:
    """Return what a campaign has reached, as Markdown.

    Parameters
    ----------
    budget : says in which unit spend is told.
    loading : lines of Python that load its model from its `address`.
    ended : why it ended, "" while it goes on; None = as its last round says.
    """
    ended = rounds[-1].stop if ended is None else ended
    last, forces = rounds[-1], rounds[-1].metrics.force_mae is not None
    unit = f"m{error_unit(forces)}"
    told = [
        f"**{last.metrics} on {last.metrics.frames} held-out frames, after {budget.format(last.spent)} "
        f"of {budget}.** {'Ended: ' + ended if ended else 'It goes on'}."
    ]
    if last.control is not None:
        told.append(
            f"Against random accurate labels at equal spend (control arm, {last.control.basis}): "
            f"{last.control.saving.words}."
        )
    best = best_round(rounds)
    if best is not None:
        told.append(f"Best round: {best_words(best, rounds, error_unit(forces))}.")
    if best is not None and ended:
        lines = "\n".join(
            (*loading, "calculator = model.unwrap_python_model().force_field.calculator()  # of ASE")
        )
        told.append(
            "In Python, with the `address` (`models:/…`) of `best_model` under *Logged models*:\n\n"
            f"```python\n{lines}\n```"
        )
    return "\n\n".join([*told, _table(rounds, budget, unit), *(f"- {note}" for note in last.notes)])


def labels_words(labels: Mapping[str, int]) -> str:
    """Return how many labels of each level there are.

    >>> labels_words({"b3lyp": 200, "ccsd(t)": 25})
    '200 b3lyp, 25 ccsd(t)'
    """
    return ", ".join(f"{count} {name}" for name, count in labels.items())


def _table(rounds: Sequence[Round], budget: Budget, unit: str) -> str:
    size, name = budget.scale
    lines = [
        f"| round | labels | spent, {name} | error, {unit} | worst cluster, {unit} | saved |",
        "|---|---|---|---|---|---|",
    ]
    for one in rounds:
        worst = one.worst_cluster
        cells = (
            one.index, labels_words(one.labels), f"{one.spent / size:.4g}",
            f"{1000 * one.metrics.headline:.3g}",
            "–" if worst is None else f"{1000 * worst:.3g}", one.control.saving.cell if one.control else "–",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _versions() -> str:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return json.dumps(found)


def _commit(folder: Path) -> str:
    """Return the commit of the git repository that a folder lies in, "" where there is none."""
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
