"""What a round reports: errors on held-out labels, cluster by cluster."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.campaign.rounds.estimate import latent
from fidsel.campaign.settings import Campaign, Rules
from fidsel.data import Frames
from fidsel.data.atomic import replacing, write_text
from fidsel.data.formats.archive import check_array
from fidsel.exceptions import FidselError, UsageError
from fidsel.models import ForceField
from fidsel.selector import BroadClusters, Descriptor, make_descriptor


def error_unit(forces: bool) -> str:
    """Return the unit of `frame_errors`."""
    return "eV/Å" if forces else "eV"


@dataclass(frozen=True)
class View:
    """Frames as the clusters see them.

    Parameters
    ----------
    features : (n, d) descriptor.
    energies : (n,) eV, of the model of round 0.
    clusters : (n,) broad cluster.
    """

    features: FloatArray
    energies: FloatArray
    clusters: IntArray


@dataclass(frozen=True, eq=False)
class Regions:
    """The broad clusters of a campaign, made once after round 0 and kept.

    Parameters
    ----------
    clusters : fitted to the candidates of that time.
    energies : (n_fitted,) eV, what the model of round 0 says of them.
    model : that model, whose energies tell the energy clusters apart in every round.
    descriptor : of frames.
    """

    clusters: BroadClusters
    energies: FloatArray
    model: ForceField
    descriptor: Descriptor

    @classmethod
    def fit(cls, frames: Frames, model: ForceField, rules: Rules, seed: int) -> Self:
        """Return clusters of the candidates by geometry, and in each by the energy of the model."""
        energies, descriptor = model.predict(frames).energy, _descriptor(rules, frames, model)
        clusters = BroadClusters.fit(
            descriptor(frames),
            energies,
            n_geometry=rules.clusters,
            n_energy=rules.energy_clusters,
            seed=seed,
        )
        return cls(clusters, energies, model, descriptor)

    def save(self, folder: Path, rules: Rules) -> None:
        """Write the clusters into the folder of round 0, beside its model."""
        self.clusters.save(folder / "clusters.npz")
        with replacing(folder / "energies.npy") as path:
            np.save(path, self.energies)
        write_text(folder / "clusters.json", json.dumps(_settings(rules)))

    @classmethod
    def kept(cls, campaign: Campaign, pool: Frames) -> Self:
        """Return the clusters of a campaign whose round 0 is finished; see `load`."""
        folder = campaign.folder.round(0)
        return cls.load(folder, campaign.rules, campaign.load_model(folder / "model"), pool)

    @classmethod
    def load(cls, folder: Path, rules: Rules, model: ForceField, pool: Frames) -> Self:
        """Return the clusters kept in the folder of round 0.

        Parameters
        ----------
        model : of round 0, which says the energies of frames.
        pool : all configurations of the campaign, whose elements a descriptor may ask for.

        Raises
        ------
        UsageError
            where they were made with other settings.
        FidselError
            where a file of them is missing or damaged.
        """
        made = _read_settings(folder / "clusters.json")
        for name, value in _settings(rules).items():
            if made.get(name) != value:
                raise UsageError(
                    f"the clusters of a campaign are made once, with selector.{name} = {made.get(name)!r}, "
                    f"got {value!r}: set it back, or start a new campaign in another folder"
                )
        clusters, energies = read_clusters(folder)
        return cls(clusters, energies, model, _descriptor(rules, pool, model))

    def of(self, frames: Frames) -> View:
        """Return what the clusters see of any frames."""
        features, energies = self.descriptor(frames), self.model.predict(frames).energy
        return View(features, energies, self.clusters.assign(features, energies))

    def of_candidates(self, frames: Frames) -> View:
        """Return the same of all candidates, of which the first are those the clusters were fitted to."""
        n = len(self.energies)
        features = self.descriptor(frames)
        if len(frames) == n:
            return View(features, self.energies, self.clusters.labels)
        energies = self.model.predict(frames[n:]).energy
        clusters = self.clusters.assign(features[n:], energies)
        return View(
            features,
            np.concatenate([self.energies, energies]),
            np.concatenate([self.clusters.labels, clusters]),
        )


def read_clusters(folder: Path) -> tuple[BroadClusters, FloatArray]:
    """Return the clusters kept in the folder of round 0 and the energies (n_fitted,), eV, of their frames.

    Raises a `FidselError` where one of the files is missing or damaged.
    """
    path = folder / "energies.npy"
    try:
        clusters = BroadClusters.load(folder / "clusters.npz")
        check_array(path)
        energies = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _damaged(folder, error) from error
    if energies.dtype != np.float64 or energies.shape != clusters.labels.shape:
        raise _damaged(folder, f"{path.name} must hold one energy for each of {len(clusters.labels)} frames")
    return clusters, energies


def _read_settings(path: Path) -> dict[str, Any]:
    """Return the settings the clusters were made with."""
    try:
        made = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise _damaged(path.parent, error) from error
    if not isinstance(made, dict):
        raise _damaged(path.parent, f"{path.name} must hold the settings of the clusters")
    return made


def _damaged(folder: Path, why: object) -> FidselError:
    return FidselError(
        f"the clusters in {folder} cannot be read: {why}. Put back a copy of the folder, or move the rounds "
        "away to redo them from the labels that are bought"
    )


def _descriptor(rules: Rules, pool: Frames, model: ForceField) -> Descriptor:
    """Return what describes frames; "latent" are the features of all networks that add up to the model."""
    if rules.descriptor == "latent":
        return partial(latent, model)
    return make_descriptor(rules.descriptor, pool)


def _settings(rules: Rules) -> dict[str, object]:
    values = asdict(rules)
    return {name: values[name] for name in ("descriptor", "clusters", "energy_clusters")}
