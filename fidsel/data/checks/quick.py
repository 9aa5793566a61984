"""`quick_check`: the cheap rules of `check`, run before anything is trained on or picked from labels."""

from collections.abc import Iterable

import numpy as np

from fidsel.data.checks.consistency import energy_force, infinite, with_infinite
from fidsel.data.checks.finding import Finding, few
from fidsel.data.checks.geometry import distances, sound
from fidsel.data.checks.outlying import outliers
from fidsel.data.checks.repeats import contradictions
from fidsel.data.checks.scale import bond_scale, energy_scale
from fidsel.data.checks.zeros import energy_zeros
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError


def quick_check(frames: Frames) -> tuple[Finding, ...]:
    """Return errors and warnings about labels, errors first; notes are left to `check`.

    It has these rules of `check`: positions, elements, labels (infinite ones), distances, isolated,
    contradictions, outliers, net-force, energy-force, energy-zeros, energy-scale and bond-scale. Time grows
    with the number of frames by little: trajectories are sampled where single frames do not matter.

    Parameters
    ----------
    frames : labelled frames of any levels; those without labels are looked at for what they have.
    """
    if not len(frames):
        return ()
    found, usable = sound(frames)
    rows = np.flatnonzero(usable)
    if len(rows):
        some = frames[rows]
        found += [f.within(rows) for f in infinite(some) + distances(some) + label_rules(some)]
    order = ("error", "warning")
    told = [finding for finding in found if finding.severity in order]
    return tuple(sorted(told, key=lambda finding: order.index(finding.severity)))


def label_rules(frames: Frames) -> list[Finding]:
    """Return what energies and forces say about themselves; frames that are outliers are then left out."""
    rows = np.flatnonzero(~with_infinite(frames))
    if not len(rows):
        return []
    finite = frames[rows]
    outlying, bad = outliers(finite)
    # a zero that is far away makes outliers of all its frames: the rule sees them, too
    found = [finding.within(rows) for finding in contradictions(finite) + outlying + energy_zeros(finite)]
    if not bad.all():
        kept = finite[~bad]
        more = energy_force(kept) + energy_scale(kept) + bond_scale(kept)
        found += [finding.within(rows[~bad]) for finding in more]
    return found


def refuse_errors(found: Iterable[Finding], what: str, trusted: bool, trust: str) -> tuple[str, ...]:
    """Return findings about labels as sentences; raise where there are errors, unless labels are trusted.

    Raises `UsageError`, naming the frames and what to do.

    Parameters
    ----------
    found : as `quick_check` returns them.
    what : what the labels are called, e.g. the name of their file.
    trusted : whether errors are warnings.
    trust : how to say that, e.g. "--trust-labels".
    """
    findings = tuple(found)
    wrong = [sentence(finding) for finding in findings if finding.severity == "error"]
    if wrong and not trusted:
        raise UsageError(
            f"{what} cannot be trained on: {'; '.join(wrong)} (`fidsel check` tells more; to go on all the "
            f"same: {trust})"
        )
    return tuple(f"{what}: {sentence(finding)}" for finding in findings)


def sentence(finding: Finding) -> str:
    """Return a finding and its frames in one sentence.

    >>> sentence(Finding("error", "outliers", "forces are far too large in 1 of 9 frames", (3,)))
    'forces are far too large in 1 of 9 frames (frame 3)'
    """
    if not finding.frames:
        return finding.message
    return f"{finding.message} (frame{'s' if len(finding.frames) > 1 else ''} {few(finding.frames)})"
