"""What happens once, before round 0: the pool, the held-out frames, the order of random draws."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from hashlib import blake2b
from math import floor

import numpy as np

from fidsel.arrays import BoolArray
from fidsel.campaign.edits import ANEW
from fidsel.campaign.journal import Journal
from fidsel.campaign.molecules import Members, in_turn, require_pool
from fidsel.campaign.plans.coverage import cover_of, gaps, tested, trainable
from fidsel.campaign.plans.minimum_budget import FEWEST
from fidsel.campaign.records.decisions import HeldOutFor, Sampled
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.data.splitting import BARRED, spread_over_blocks
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.models.require import blaming
from fidsel.selector.pickers.allocation import in_proportion

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
"""Largest share of the pool's blocks a side draws from while fewer would do."""
MOST_TESTED, LEAST_TESTED = 100, 10
"""Test frames where nobody says how many: these at most, and these however much they cost."""
SPLIT_APART = 50
"""Frames that each molecule of a file must have for its frames to be held out apart from the others'."""
TEST_BUDGET = 0.5
"""What test labels may cost beside the budget, as a part of it, where nobody says how many there are."""
LARGER = "raise pool.frames (or give a longer file), or lower"
"""What to do about a pool that is too small and not sampled yet."""


def ensure_pool(campaign: Campaign, journal: Journal) -> Frames:
    """Return the pool, sampled and stored on the first call.

    Raises a `UsageError` where the pool is too small for what is to be held out; a new one is not stored
    then.
    """
    if journal.read(Sampled) is None:
        sampled = campaign.sample().unlabelled()
        require_pool(campaign, sampled)
        frames = sampled.unique()
        cover = cover_of(campaign, frames)
        _require_enough(campaign, cover, LARGER)
        sides = _draw(campaign, frames, cover)
        refuse_few(campaign, cover, [row for rows in sides.values() for row in rows])
        journal.store.add_frames(frames)
        journal.write(Sampled(len(frames)))
        return frames
    return journal.store.frames()


def test_size(test: int | None, pool: int) -> int:
    """Return how many test frames to draw from a pool of that size, where `campaign.test` is this."""
    return min(MOST_TESTED, int(TEST_SHARE * pool)) if test is None else test


def refuse_few(campaign: Campaign, cover: Mapping[str, BoolArray], held: Sequence[int]) -> None:
    """Raise unless enough of the pool's configurations may be trained on.

    Parameters
    ----------
    held : rows that are held out, or barred beside them.
    """
    free = trainable(campaign, cover)
    free[list(held)] = False
    if free.sum() < FEWEST:
        lacking = "; ".join(["", *gaps(campaign, cover)])
        raise UsageError(
            f"of {len(free)} configurations {free.sum()} may be trained on beside the held-out ones and "
            f"their neighbours, at least {FEWEST} are needed: take more (pool.frames, or a longer file), or "
            f"lower campaign.test{lacking}"
        )


def _require_enough(campaign: Campaign, cover: Mapping[str, BoolArray], advice: str) -> None:
    lacking = "; ".join(["", *gaps(campaign, cover)])
    able = int(tested(campaign, cover).sum())
    require_size(able, campaign.rules.test, campaign.rules.validation, advice, lacking)


def require_size(
    able: int, test: int | None, validation: int, advice: str = LARGER, lacking: str = ""
) -> None:
    """Raise a `UsageError` where a pool has too few configurations for what is to be held out of it.

    Parameters
    ----------
    able : different configurations.
    test, validation : as `campaign.test` and `campaign.validation` say.
    advice : what to do, before the names of these settings.
    lacking : said behind it.
    """
    held = test_size(test, able)
    if able < (least := held + validation + 2):
        raise UsageError(
            f"the pool must hold at least {least} different configurations ({held} test, {validation} "
            f"validation and 2 to train on), got {able}: {advice} campaign.test or "
            f"campaign.validation{lacking}"
        )


def ensure_held_out(
    campaign: Campaign, journal: Journal, pool: Frames, cover: Mapping[str, BoolArray]
) -> HeldOut:
    """Return the test and validation frames, drawn once; see `spread_over_blocks`.

    Before round 0 is drawn they may be drawn anew, for other numbers of them or other levels. Raises a
    `UsageError` where the pool has too few frames for them.

    Parameters
    ----------
    cover : (n_pool,) per level: whether it has a label of each.
    """
    rules = campaign.rules
    asked = {
        "test": rules.test,
        "budget": campaign.budget.total if rules.test is None else None,
        "validation": rules.validation,
        "able": blake2b(tested(campaign, cover).tobytes(), digest_size=8).hexdigest(),
    }
    held, made_for = journal.read(HeldOut), journal.read(HeldOutFor)
    if held is not None and (journal.begun or (made_for is not None and made_for.asked == asked)):
        return held
    _require_enough(campaign, cover, f"the pool is kept as it was sampled: {ANEW}, or lower")
    sides = _draw(campaign, pool, cover)
    held = HeldOut(**{side: tuple(pool.ids[i] for i in rows) for side, rows in sides.items()})
    journal.write(held)
    journal.write(HeldOutFor(asked, bounded=False))
    return held


def bounded_test(campaign: Campaign, journal: Journal, price: float) -> HeldOut:
    """Return the held-out frames with a test set that costs at most half of the budget, made so once.

    Where `campaign.test` says how many there are, so many stay. What the price of a label spares is on no
    side. At least `LEAST_TESTED` stay.

    Parameters
    ----------
    price : of an accurate label, base units.
    """
    held, made_for = journal.require(HeldOut), journal.require(HeldOutFor)
    if campaign.rules.test is not None or made_for.bounded or price == 0:
        return held
    kept = min(len(held.test), payable_tests(campaign.budget, price))
    held = HeldOut(held.test[:kept], held.validation, held.barred + held.test[kept:])
    journal.write(held)
    journal.write(replace(made_for, bounded=True))
    return held


def payable_tests(budget: Budget, price: float) -> int:
    """Return how many test labels of a price, base units, are bought beside a budget at most.

    >>> payable_tests(Budget.parse("20 core-min"), 20.0), payable_tests(Budget.parse("20 core-min"), 90.0)
    (30, 10)
    """
    return min(MOST_TESTED, max(LEAST_TESTED, floor(TEST_BUDGET * budget.total / price)))


def _draw(campaign: Campaign, frames: Frames, cover: Mapping[str, BoolArray]) -> dict[str, list[int]]:
    """Return rows for test and validation, and those barred from training beside them.

    Each molecule has a part of each side in proportion to its frames; of a file only where all have some.
    """
    able, members = tested(campaign, cover), Members.among(frames, campaign.molecules)
    if not campaign.molecules and members.counts().min() < SPLIT_APART:
        members = Members(("",), np.zeros(len(frames), dtype=np.int64))
    rng, here = campaign.rng("held-out"), members.counts(np.flatnonzero(able))
    sizes = {"test": test_size(campaign.rules.test, int(able.sum())), "validation": campaign.rules.validation}
    counts = {side: in_proportion(n, here.astype(np.float64), here).tolist() for side, n in sizes.items()}
    shares = {"test": TEST_SHARE, "validation": VALIDATION_SHARE}
    drawn: dict[str, list[list[int]]] = {side: [] for side in (*sizes, BARRED)}
    for number, name in enumerate(members.names):
        rows = np.flatnonzero(members.of == number)
        sides = {side: (counts[side][number], shares[side]) for side in sizes}
        with blaming(name) if len(members) > 1 else nullcontext():
            found = spread_over_blocks(frames.group[rows], sides, rng, able[rows])
        for side, chosen in found.items():
            drawn[side].append(rows[chosen].tolist())
    return {side: _in_turn(parts) for side, parts in drawn.items()}


def _in_turn(parts: Sequence[Sequence[int]]) -> list[int]:
    """Return rows of several molecules so that these take turns: the first rows are of all of them."""
    return in_turn([row for part in parts for row in part], [i for i, part in enumerate(parts) for _ in part])
