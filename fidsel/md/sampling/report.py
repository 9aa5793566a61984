"""A sampled pool and how it came about."""

from dataclasses import dataclass

from fidsel.data import Frames


@dataclass(frozen=True)
class TrajectoryReport:
    """How one trajectory was sampled and thinned.

    Parameters
    ----------
    group : name of its frames, e.g. "T500-c0"; "-r1" marks a restart after it left the physical range.
    temperature : K.
    frames : how many frames it gave to the pool.
    length : fs that were kept of it, up to where it left the physical range.
    interval : fs between two frames of the pool; 0 where frames are independent draws.
    energy_time, geometry_time : fs, integrated autocorrelation times of its energy and of its slowest
        geometric coordinate; frames closer than these are correlated.
    left : why it left the physical range, "" where it did not.
    """

    group: str
    temperature: float
    frames: int
    length: float = 0.0
    interval: float = 0.0
    energy_time: float = 0.0
    geometry_time: float = 0.0
    left: str = ""

    @property
    def correlated(self) -> bool:
        """Whether its frames are closer than its autocorrelation times."""
        return self.interval < max(self.energy_time, self.geometry_time)


@dataclass(frozen=True)
class SampleReport:
    """What was sampled, by what, and what was cut.

    Parameters
    ----------
    source : "md", "normal-modes" or "model-md".
    seed : which, with the same arguments, gives the same frames.
    rejected : independent draws thrown away for being out of the physical range.
    notes : what the caller should know, as sentences.
    """

    source: str
    seed: int
    trajectories: tuple[TrajectoryReport, ...]
    rejected: int = 0
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many trajectories left the physical range and were cut there."""
        return sum(bool(trajectory.left) for trajectory in self.trajectories)


@dataclass(frozen=True, eq=False)
class Sample:
    """Unlabelled frames of a pool and the record of how they were drawn."""

    frames: Frames
    report: SampleReport
