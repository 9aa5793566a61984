"""Configurations that appear more than once: whose labels agree, and whose do not."""

import numpy as np
import pytest
from morse_molecule import frames as morse

import fidsel
from fidsel.data.checks.check import check
from fidsel.data.checks.quick import quick_check
from fidsel.data.checks.repeats import contradictions, duplicates, first_of
from fidsel.exceptions import UsageError


def test_the_first_of_each_configuration_and_level() -> None:
    frames = morse(5)
    repeated = frames + frames[[3, 1]] + frames[[3]].replace(level="other")
    assert first_of(repeated).tolist() == [0, 1, 2, 3, 4, 3, 1, 7]
    assert duplicates(repeated)[0].frames == (5, 6)
    assert duplicates(frames) == contradictions(frames) == []


def test_labels_that_agree_to_what_programs_differ_by_are_no_contradiction() -> None:
    frames = morse(20)
    again = frames[:10]
    noisy = again.replace(energy=again.energy + 0.01, forces=again.forces + 0.02)
    assert contradictions(frames + noisy) == []
    assert contradictions(frames + again.unlabelled()) == []


@pytest.mark.parametrize("what", ["energy", "forces"])
def test_labels_that_contradict_are_errors(what: str) -> None:
    frames = morse(20)
    wrong = frames[[4]]
    wrong = wrong.replace(**{what: getattr(wrong, what) + 0.5})
    both = frames + frames[[2]] + wrong
    (finding,) = contradictions(both)
    assert (finding.severity, finding.frames) == ("error", (21,))
    assert "0.5 eV" in finding.message
    for found in (check(both), quick_check(both)):
        assert [one.frames for one in found if one.rule == "contradictions"] == [(21,)]
    assert not [one for one in quick_check(wrong + frames[:4]) if one.rule == "contradictions"]


def test_a_training_does_not_take_whichever_comes_first(tmp_path: object) -> None:
    frames = morse(30)
    wrong = frames[:5].replace(energy=frames.energy[:5] + 0.5, forces=-frames[:5].forces)
    for labels in (wrong + frames, frames + wrong):
        with pytest.raises(UsageError, match=r"contradict those of an earlier frame .*keep the right ones"):
            fidsel.train(labels, settings=["model.sigmas=[10]"], out=f"{tmp_path}/model")
    rows = np.arange(30)
    assert fidsel.train(frames[rows], settings=["model.sigmas=[10]"], out=f"{tmp_path}/model").odd == ()
