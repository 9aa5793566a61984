"""Labels that a check asks for."""

import pytest
from morse_molecule import frames
from morse_source import Morse

from fidsel.exceptions import FidselError
from fidsel.fidelity import Fidelity, LocalEngine, Price
from fidsel.fidelity.engine.task import Task
from fidsel.md.check.asked import asked


def test_labels_are_told_from_those_that_others_wait_for() -> None:
    level, molecules = Fidelity("morse", Morse(), Price()), [frames(3)[i] for i in range(3)]
    strays: list[str] = []
    with LocalEngine(1) as engine:
        others = engine.run([Task("other", molecules[0], Morse())] * 2)
        next(others)
        engine.leave()
        list(others)
        found = list(asked(engine, level, molecules, None, "wait", lambda one: strays.append(one[0].key)))
    assert strays == ["other"]
    expected = [Morse().label(one).energy for one in molecules]
    assert {row: label.energy for row, label, _ in found} == pytest.approx(dict(enumerate(expected)))


def test_a_label_that_takes_too_long_ends_it() -> None:
    level = Fidelity("morse", Morse(act="hang", one_in=1), Price(), time_limit=0.3)
    with LocalEngine(1) as engine:
        outcomes = asked(engine, level, [frames(1)[0]], None, "be patient", print)
        assert next(outcomes)[1].cause == "timeout"
        with pytest.raises(FidselError, match=r"took longer than 0.3 s: be patient"):
            next(outcomes)
