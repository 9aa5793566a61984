"""What happens once, before round 0: the pool, the held-out frames, the order of random draws."""

from typing import Any

import numpy as np

from fidsel.campaign.record import HeldOut
from fidsel.campaign.settings import Campaign
from fidsel.campaign.workspace import ANEW, Workspace
from fidsel.data import Frames
from fidsel.data.frames import IntArray, StrArray
from fidsel.errors import UsageError
from fidsel.fidelity.store import LabelStore

FEWEST = 3
"""Accurate training labels below which no residual can be fitted and validated."""
BLOCK = 10
"""Neighbouring frames of a trajectory that stay on one side."""
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
"""Largest share of the pool's blocks a side draws from while fewer would do."""


def ensure_pool(campaign: Campaign, store: LabelStore) -> Frames:
    """Return the pool, sampled and stored on the first call.

    Raises
    ------
    UsageError
        where the pool is too small for what is to be held out; a new one is not stored then.
    """
    if store.record("pool") is None:
        frames = campaign.sample().unlabelled().unique()
        _require_enough(campaign, frames, "raise pool.frames (or give a longer file), or lower")
        sides = draw_held_out(frames.group, *_numbers(campaign), campaign.rng("held-out"))
        refuse_few(len(frames), len(frames) - sum(map(len, sides.values())))
        store.add_frames(frames)
        store.put_record("pool", {"frames": len(frames), "settings": _pool_settings(campaign)})
    frames = store.frames()
    if store.record("held-out") is None:
        _require_enough(campaign, frames, f"the pool is kept as it was sampled: {ANEW}, or lower")
    return frames


def ignored_settings(campaign: Campaign, store: LabelStore) -> dict[str, tuple[Any, Any]]:
    """Return settings that have no effect because the pool is there: how it was sampled, what they are now.

    Settings of a refresh are not among them: they decide what is added to the pool.
    """
    then = (store.record("pool") or {}).get("settings", {})
    now = _pool_settings(campaign)
    return {name: (then[name], now.get(name)) for name in then if then[name] != now.get(name)}


def _pool_settings(campaign: Campaign) -> dict[str, Any]:
    """Return the settings the pool is sampled by, as plain values."""
    section = campaign.config.get("pool", {})
    return {f"pool.{name}": value for name, value in section.items() if not name.startswith("refresh")}


def refuse_few(pool: int, trainable: int) -> None:
    """Raise unless enough of the pool's configurations may be trained on."""
    if trainable < FEWEST:
        raise UsageError(
            f"of {pool} configurations {trainable} may be trained on beside the held-out ones and their "
            f"neighbours, at least {FEWEST} are needed: take more (pool.frames, or a longer file), or lower "
            "campaign.test"
        )


def _numbers(campaign: Campaign) -> tuple[int, int]:
    return campaign.rules.test, campaign.rules.validation


def _require_enough(campaign: Campaign, frames: Frames, advice: str) -> None:
    test, validation = _numbers(campaign)
    if len(frames) < (least := test + validation + 2):
        raise UsageError(
            f"the pool must hold at least {least} different configurations ({test} test, {validation} "
            f"validation and 2 to train on), got {len(frames)}: {advice} campaign.test or "
            "campaign.validation"
        )


def ensure_held_out(ws: Workspace) -> HeldOut:
    """Return the test and validation frames, drawn once; see `draw_held_out`.

    Raises
    ------
    UsageError
        where the numbers of them were others when they were drawn.
    """
    record = ws.store.record("held-out")
    if record is None:
        rules, frames = ws.campaign.rules, ws.pool
        sides = draw_held_out(frames.group, rules.test, rules.validation, ws.campaign.rng("held-out"))
        record = {side: [frames.ids[i] for i in rows] for side, rows in sides.items()}
        ws.store.put_record("held-out", record)
    for name in ("test", "validation"):
        if len(record[name]) != getattr(ws.campaign.rules, name):
            raise UsageError(
                f"{len(record[name])} {name} frames were held out when the campaign was begun, got campaign."
                f"{name} = {getattr(ws.campaign.rules, name)}: {ANEW}"
            )
    return HeldOut(tuple(record["test"]), tuple(record["validation"]), tuple(record["barred"]))


def draw_held_out(
    group: StrArray, test: int, validation: int, rng: np.random.Generator
) -> dict[str, list[int]]:
    """Return rows for test and validation, and the rows barred from training beside them.

    Each trajectory is cut into contiguous blocks of `BLOCK` frames. Each side draws whole blocks at
    random, as many as its share of the pool allows so that few frames come from each, and takes frames
    at random inside them. Nothing in a drawn block is ever trained on, so that no held-out frame has a
    training frame next to it inside its block.
    """
    block = _blocks(group)
    order = [int(b) for b in rng.permutation(block.max() + 1)]
    sides: dict[str, list[int]] = {"barred": []}
    for side, count, share in (("test", test, TEST_SHARE), ("validation", validation, VALIDATION_SHARE)):
        wanted = min(count, max(int(share * (block.max() + 1)), 1))
        drawn: list[list[int]] = []
        while order and (len(drawn) < wanted or sum(map(len, drawn)) < count):
            drawn.append(np.flatnonzero(block == order.pop()).tolist())
        inside = [rng.permutation(rows).tolist() for rows in drawn]
        turns = [rows[turn] for turn in range(BLOCK) for rows in inside if turn < len(rows)]
        if len(turns) < count:
            raise UsageError(
                f"the pool has too few blocks of {BLOCK} frames for {count} {side} frames: take more frames "
                f"(pool.frames, or a longer file), or lower campaign.{side}"
            )
        sides[side] = turns[:count]
        sides["barred"] += sorted(set(turns) - set(turns[:count]))
    return sides


def _blocks(group: StrArray) -> IntArray:
    """Return (n,) number of the contiguous block each row belongs to; blocks never cross groups."""
    _, member = np.unique(group, return_inverse=True)
    within = np.empty(len(group), dtype=np.int64)
    for g in range(member.max() + 1):
        rows = np.flatnonzero(member == g)
        within[rows] = np.arange(len(rows)) // BLOCK
    _, number = np.unique(np.column_stack([member, within]), axis=0, return_inverse=True)
    return np.asarray(number, dtype=np.int64).reshape(-1)
