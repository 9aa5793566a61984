import numpy as np
import pytest
from morse_molecule import frames
from small_task import learn, task, without_labels

from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.settings import Selection, SelectionRound, divide, has_labels
from fidsel.exceptions import UsageError
from fidsel.selector import Random, Stratified
from fidsel.selector.stopping import Stopping, Why


def rows(rounds: list[SelectionRound]) -> list[list[int]]:
    return [[pick.row for pick in one.picks] for one in rounds if one.picks]


def test_rounds_pick_train_and_measure() -> None:
    made = task()
    rounds = list(select(made))
    assert [one.index for one in rounds] == [0, 1, 2]
    assert [one.labels for one in rounds] == [10, 15, 20]
    assert str(rounds[-1].stop) == "round limit: 2 rounds of picking are done"
    start, held = made.division.start, made.division.held_out
    picked = [row for one in rows(rounds) for row in one]
    assert len({*picked, *start}) == 20
    assert not {*picked, *start} & {*held}
    errors = [one.held_out.error("rmse") for one in rounds if one.held_out is not None]
    assert errors[2] < errors[0]
    assert all(one.held_out is not None and one.held_out.frames == 30 for one in rounds)
    assert [one.pool.frames for one in rounds if one.pool is not None] == [80, 75, 70]


def test_held_out_errors_are_those_of_the_model_of_that_round() -> None:
    made = task()
    rounds = list(select(made))
    model = learn(made.frames).learn(additions(made, rounds))
    held = made.frames[made.division.held_out]
    rmse = np.sqrt(np.mean((model.predict(held).forces - held.forces) ** 2))
    assert rounds[-1].held_out is not None
    assert rounds[-1].held_out.error("rmse") == pytest.approx(rmse, rel=1e-9)


def test_stopped_after_any_round_it_goes_on_as_if_it_never_had() -> None:
    whole = list(select(task()))
    for done in (1, 2):
        again = list(select(task(), whole[:done]))
        assert rows([*whole[:done], *again]) == rows(whole)
        assert again[-1].held_out == whole[-1].held_out
    assert list(select(task(), whole)) == []


def test_higher_limit_goes_on() -> None:
    short = list(select(task()))
    numbers = Selection(start=10, size=5, rounds=3, clusters=3, energy_clusters=2)
    more = list(select(task(numbers=numbers), short))
    assert [one.index for one in more] == [3]
    assert rows([*short, *more]) == rows(list(select(task(numbers=numbers))))


def test_seed_decides() -> None:
    other = Selection(start=10, size=5, rounds=2, clusters=3, energy_clusters=2, seed=1)
    assert rows(list(select(task()))) == rows(list(select(task())))
    assert rows(list(select(task()))) != rows(list(select(task(numbers=other))))


def test_probes_are_labelled_now_and_trained_on_next_round() -> None:
    made = task(error="probe")
    rounds = list(select(made))
    assert [len(one.probes) for one in rounds] == [0, 4, 4]
    assert [one.labels for one in rounds] == [10, 19, 28]
    added = additions(made, rounds)
    assert [len(part) for part in added] == [10, 5, 9]
    assert set(added[2]) == {*rounds[1].probes, *rows(rounds)[1]}
    everything = np.concatenate([*added, rounds[-1].probes])
    assert len(set(everything.tolist())) == len(everything)
    assert rounds[1].estimate is not None
    assert rounds[1].estimate.frames == 76


def test_picker_that_needs_no_errors_gets_none() -> None:
    rounds = list(select(task(picker=Random())))
    assert [one.labels for one in rounds] == [10, 15, 20]


def test_control_arm_shares_start_and_clusters_and_picks_at_random() -> None:
    made = task()
    arm = made.control_arm()
    mine, theirs = list(select(made)), list(select(arm))
    assert mine[0].held_out == theirs[0].held_out
    assert arm.space is made.space
    assert rows(mine) != rows(theirs)
    assert [one.labels for one in mine] == [one.labels for one in theirs]


def test_reasons_to_stop() -> None:
    def last(rule: Stopping, size: int = 5, rounds: int = 2) -> Why | None:
        numbers = Selection(10, size, rounds, clusters=3, energy_clusters=2, stopping=rule)
        stop = list(select(task(numbers=numbers)))[-1].stop
        return stop and stop.why

    assert last(Stopping(target=10.0)) is Why.TARGET
    assert last(Stopping(cluster_target=10.0)) is Why.CLUSTER_TARGET
    assert last(Stopping(patience=1, least_gain=0.99)) is Why.FLAT
    assert last(Stopping(), size=50, rounds=9) is Why.POOL


def test_target_means_the_error_it_is_said_to_mean() -> None:
    first = next(iter(select(task()))).held_out
    assert first is not None
    assert first.error("mae") < first.error("rmse")
    between = (first.error("mae") + first.error("rmse")) / 2
    for measure, reached in (("mae", True), ("rmse", False)):
        rule = Stopping(target=between, measure=measure)
        numbers = Selection(10, 5, 2, clusters=3, energy_clusters=2, stopping=rule)
        assert (next(iter(select(task(numbers=numbers)))).stop is not None) == reached


def test_pool_without_labels_gets_one_round_of_picks() -> None:
    """The real case: some frames are labelled, the picks are to be labelled by whoever asked."""
    pool = without_labels(frames(120), np.arange(60, 120))
    made = task(pool, picker=Random(), numbers=Selection(size=5, rounds=4, clusters=2))
    assert set(made.division.start) == set(range(60)) - set(made.division.held_out)
    first, second = select(made)
    assert first.held_out is not None
    assert second.held_out is None
    assert second.stop is not None
    assert second.stop.why is Why.PICKS
    assert {pick.row for pick in second.picks} <= set(range(60, 120))
    assert all(pick.frame == pool.ids[pick.row] for pick in second.picks)


def test_labels_that_come_later_move_no_frame_to_another_side() -> None:
    """What was held out must never be trained on, and what was picked must be."""
    whole = frames(120)
    numbers = Selection(size=5, rounds=1, clusters=2)
    before = task(without_labels(whole, np.arange(60, 120)), picker=Random(), numbers=numbers)
    picked = rows(list(select(before)))[0]
    rest = np.setdiff1d(np.arange(60, 120), picked)
    after = task(without_labels(whole, rest), picker=Random(), numbers=numbers).division
    assert (after.held_out == before.division.held_out).all()
    assert set(after.start) == {*before.division.start, *picked}


def test_frames_that_repeat_held_out_ones_are_left_out() -> None:
    pool = frames(60)
    twice = pool + pool
    made = task(twice, numbers=Selection(start=10, size=5, rounds=1, clusters=2))
    ids = np.array(twice.ids)
    assert not {*ids[made.division.held_out]} & {*ids[made.division.pool]}
    first = next(iter(select(made)))
    assert "repeat configurations that are held out" in first.notes[0]
    with pytest.raises(UsageError, match="must be 2 to 0, the labelled frames"):
        divide(pool[np.zeros(50, dtype=int)], Selection(start=5))


def test_control_arm_owns_as_many_labels_as_a_selection_that_probes() -> None:
    made = task(error="probe")
    arm = made.control_arm()
    mine, theirs = list(select(made)), list(select(arm))
    assert [one.labels for one in mine] == [one.labels for one in theirs] == [10, 19, 28]


def test_energies_of_candidates_are_not_looked_at_where_labels_are_unknown() -> None:
    pool = frames(120)
    spoilt = pool.replace(energy=pool.energy + np.where(np.arange(120) > 60, 5.0, 0.0))
    picks = [rows(list(select(task(some, picker=Stratified(), error="probe")))) for some in (pool, spoilt)]
    assert picks[0] == picks[1]


def test_labels_asked_for_in_turns_give_the_selection_of_labels_owned() -> None:
    """Probes and picks are labelled only when a round asks for them; what is done meanwhile stays."""
    whole = frames(120)
    pool = without_labels(whole, np.arange(40, 120))
    known = has_labels(pool)
    numbers = Selection(size=5, rounds=2, probes=4, clusters=3, energy_clusters=2)
    settings = {"error": "probe", "numbers": numbers}
    owned = list(select(task(whole, known=known, **settings)))
    rounds: list[SelectionRound] = []
    asked, stops = set(range(40)), list[Why]()
    while not (rounds and rounds[-1].stop and rounds[-1].stop.why is Why.ROUNDS):
        made = task(without_labels(whole, np.setdiff1d(np.arange(120), list(asked))), known=known, **settings)
        for one in select(made, rounds):
            rounds = [*rounds[: one.index], one]
        assert list(select(made, rounds)) == [], "it waits until the labels are there"
        if rounds[-1].held_out is None:
            assert rounds[-1].stop is not None
            stops.append(rounds[-1].stop.why)
            asked |= {*rounds[-1].asked.tolist()}
    assert stops == [Why.PROBES, Why.PICKS] * 2
    assert len(asked) == 40 + 2 * (4 + 5)
    assert rows(rounds) == rows(owned)
    assert [one.probes for one in rounds] == [one.probes for one in owned]
    assert [one.held_out for one in rounds] == [one.held_out for one in owned]
