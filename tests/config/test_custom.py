"""A person's own classes, in modules beside fidsel.toml."""

import sys
from importlib import reload
from pathlib import Path

import numpy as np
import pytest
from command_line import write_campaign

from fidsel.campaign import CampaignFolder, iterate
from fidsel.config.build import open_campaign
from fidsel.config.custom import own_error_source, own_model, own_picker, own_source
from fidsel.exceptions import UsageError
from fidsel.models import MODELS as KINDS
from fidsel.models import load
from fidsel.selector.error_sources.source import drawn, estimated
from fidsel.testing.picker import example_pool

SOURCES = """
import itertools

import numpy as np

from fidsel.fidelity import Label


class Springs:
    forces = True

    def __init__(self, k=1.0):
        self.k = k

    def settings(self):
        return {"kind": "own springs", "k": self.k}

    def label(self, atoms):
        x = atoms.get_all_distances()
        gap = atoms.positions[:, None] - atoms.positions[None]
        forces = -2 * self.k * (gap * (1 - 1 / (x + np.eye(len(x))))[..., None]).sum(1)
        energy = self.k * ((x - 1) ** 2)[np.triu_indices(len(x), 1)].sum()
        return Label(float(energy), forces, 0.001)


class NoSettings:
    forces = True

    def label(self, atoms):
        raise NotImplementedError


class Empty(Springs):
    def settings(self):
        return {}


class Restless(Springs):
    numbers = itertools.count()

    def settings(self):
        return {"n": next(self.numbers)}


class Unpicklable(Springs):
    def __init__(self):
        super().__init__()
        self.secret = lambda: 0


not_a_class = 3
"""

PICKERS = """
import numpy as np

from fidsel.exceptions import UsageError
from fidsel.selector.pool import Picks


class First:
    def __init__(self, reason="first"):
        self.reason = reason

    def order(self, pool, rng):
        _, first = np.unique(pool.features, axis=0, return_index=True)
        seen = {tuple(row) for row in pool.features[pool.labelled]}
        again = [i not in first or tuple(pool.features[i]) in seen for i in range(len(pool))]
        return np.lexsort((pool.features[:, 0], again))

    def pick(self, pool, n, rng):
        order = self.order(pool, rng)
        rows = order[~pool.labelled[order]]
        if n > len(rows):
            raise UsageError(f"{n} picks of {len(rows)}")
        rows = rows[:n]
        column = np.full(n, pool.costs.shape[1] - 1)
        return Picks(rows, column, pool.clusters[rows], (self.reason,) * n)


class Drawn(First):
    def order(self, pool, rng):
        order = super().order(pool, rng)
        _, first = np.unique(pool.features, axis=0, return_index=True)
        if len(first) == len(pool):
            return rng.permutation(order)
        return order


class Repeats(First):
    def pick(self, pool, n, rng):
        rows = np.zeros(n, dtype=int) + np.flatnonzero(~pool.labelled)[0]
        return Picks(rows, rows * 0, pool.clusters[rows], ("again",) * n)
"""

MODELS = """
from fidsel.models import MODELS as KINDS
from fidsel.models import SGDML, ForceField


class Kernel(SGDML):
    kind = "own-kernel"

    def __init__(self, sigmas=(10.0,), lam=1e-10, seed=0, **more):
        super().__init__(sigmas, lam, **more)


class Seedless(SGDML):
    kind = "seedless"

    def __init__(self, sigmas=(10.0,)):
        super().__init__(sigmas)


class Twin(SGDML):
    pass


class Still(ForceField):
    kind = "still"

    def predict(self, frames, level=None): ...

    def state(self): ...

    @classmethod
    def from_state(cls, settings, tensors): ...


class Half(ForceField):
    kind = "half"


broken = (
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with modules of its own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_sources.py").write_text(SOURCES)
    (folder / "own_pickers.py").write_text(PICKERS)
    (folder / "own_models.py").write_text(MODELS.removesuffix("broken = (\n"))
    (folder / "own_broken.py").write_text(MODELS)
    return folder


def test_good_classes_are_built_with_their_options(root: Path) -> None:
    assert dict(own_source("own_sources:Springs", {"k": 2.5}, root).settings())["k"] == 2.5
    assert own_picker("own_pickers:First", {"reason": "mine"}, root).reason == "mine"  # type: ignore[attr-defined]
    assert own_picker("own_pickers:Drawn", {}, root)
    assert own_model("own_models:Kernel", root).kind == "own-kernel"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_sources:NoSettings", "lacks settings; see fidsel.fidelity.LabelSource"),
        ("own_sources:Empty", r"breaks its contract: settings\(\) must say what makes the number"),
        ("own_sources:Restless", r"breaks its contract: settings\(\) must not change"),
        ("own_sources:Unpicklable", "breaks its contract: a source must survive pickling"),
        ("own_sources:not_a_class", "must name a class, got 3"),
        ("own_sources:Absent", "cannot be imported .*Absent"),
        ("own_nowhere:Springs", "put own_nowhere.py into"),
        ("ase:emt", "'ase' is .*ase/__init__.py: name a class that it has"),
        ("ase.nowhere:EMT", "'ase' is .*ase/__init__.py: name a class that it has"),
        ("math:Springs", "'math' is .*: name a class that it has"),
        ("own_broken:Kernel", "cannot be imported .*never closed"),
    ],
)
def test_sources_that_break_the_contract_are_refused(name: str, message: str, root: Path) -> None:
    with pytest.raises(UsageError, match=message):
        own_source(name, {}, root)


def test_options_a_class_does_not_take_are_named(root: Path) -> None:
    with pytest.raises(UsageError, match=r"unexpected keyword argument 'q'.*Springs\(k=1\.0\) was given q"):
        own_source("own_sources:Springs", {"q": 1}, root)


def test_pickers_that_break_the_contract_are_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"breaks its contract: .*not unique"):
        own_picker("own_pickers:Repeats", {}, root)
    with pytest.raises(UsageError, match="lacks pick"):
        own_picker("own_sources:Springs", {}, root)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_models:Twin", "must have a `kind`, a text that no other model has, got 'sgdml'"),
        ("own_models:Still", "must be trainable"),
        ("own_models:Half", "must be a class with all methods"),
        ("own_sources:Springs", "must be a class with all methods of fidsel.models.ForceField"),
    ],
)
def test_models_that_break_the_contract_are_refused(name: str, message: str, root: Path) -> None:
    with pytest.raises(UsageError, match=message):
        own_model(name, root)


def test_campaign_of_own_classes_runs_and_resumes(root: Path) -> None:
    folder = write_campaign(root)
    price = 'price = {per = "label", value = 0.05}'
    overrides = (
        f'fidelity.0={{name = "springs", kind = "own_sources:Springs", options = {{k = 0.5}}, {price}}}',
        'model={kind = "own_models:Kernel", options = {sigmas = [20.0]}}',
        'selector={kind = "own_pickers:First", clusters = 2, energy_clusters = 2}',
        "campaign.rounds=1",
        "campaign.trust_labels=true",  # no molecule has springs like these
    )
    first = next(iterate(open_campaign(folder, overrides)))
    assert first.index == 0
    for _ in iterate(open_campaign(folder, overrides)):
        pass
    rounds = CampaignFolder(folder).read_rounds()
    assert len(rounds) == 2
    assert {pick.reason for pick in rounds[1].picks} == {"first"}
    assert load(folder / "rounds" / "0001" / "model").kind in ("sum", "sgdml"), "or training alone was better"


def test_model_without_seed_says_so(root: Path) -> None:
    folder = write_campaign(root)
    with pytest.raises(UsageError, match="unexpected keyword argument 'seed'"):
        open_campaign(folder, ('model={kind = "own_models:Seedless"}',))


def test_a_class_of_a_reloaded_module_takes_the_place_of_the_old_one(root: Path) -> None:
    old = own_model("own_models:Kernel", root)
    reload(sys.modules[old.__module__])
    new = own_model("own_models:Kernel", root)
    assert new is not old
    assert KINDS["own-kernel"] is new


def test_a_class_that_is_not_in_the_campaigns_file_is_looked_for_there(root: Path) -> None:
    with pytest.raises(UsageError, match=rf"has no attribute 'Absent'\): mend {root}/own_sources.py"):
        own_source("own_sources:Absent", {}, root)


ANSWERS = """
import numpy as np

from fidsel.selector import ErrorSource


class Rows:
    needs_errors = False

    def pick(self, pool, n, rng):
        return self.told(np.flatnonzero(~pool.labelled)[:n])


class Arrays(Rows):
    told = staticmethod(lambda rows: rows)


class Nothing(Rows):
    told = staticmethod(lambda rows: None)


class Own(ErrorSource):
    name = "own"
    told = staticmethod(lambda n: [1] * n)
    drawn = staticmethod(lambda rows: rows.tolist())

    def estimate(self, pool, known, evidence=None):
        return self.told(len(pool))

    def draw(self, pool, n, rng):
        return self.drawn(np.flatnonzero(~pool.labelled)[:n])


class Silent(Own):
    told = drawn = staticmethod(lambda _: None)


class Column(Own):
    told = staticmethod(lambda n: np.ones((n, 1)))
    drawn = staticmethod(lambda rows: rows[[0, 0]])


class Negative(Own):
    told = staticmethod(lambda n: -np.ones(n))
    drawn = staticmethod(lambda rows: rows - 1000)


class Needy(Own):
    def __init__(self, scale):
        self.scale = scale
"""


@pytest.mark.parametrize(("name", "came"), [("Arrays", "a ndarray"), ("Nothing", "None")])
def test_a_picker_that_returns_no_picks_is_told_what_they_are(root: Path, name: str, came: str) -> None:
    (root / "own_answers.py").write_text(ANSWERS)
    with pytest.raises(
        UsageError, match=rf"'own_answers:{name}' .* must return fidsel.selector.Picks.*{came}"
    ):
        own_picker(f"own_answers:{name}", {}, root)


def test_an_error_source_may_return_lists(root: Path) -> None:
    (root / "own_answers.py").write_text(ANSWERS)
    pool, source = example_pool(), own_error_source("own_answers:Own", root)()
    assert estimated(source, pool, np.full(60, np.nan)).tolist() == [1.0] * 60
    rows = drawn(source, pool, 3, np.random.default_rng(0))
    assert (rows.dtype, len(rows)) == (np.int64, 3)
    assert len(drawn(source, pool, 0, np.random.default_rng(0))) == 0


@pytest.mark.parametrize("name", ["Silent", "Column", "Negative"])
def test_an_error_source_that_returns_other_things_is_named(root: Path, name: str) -> None:
    (root / "own_answers.py").write_text(ANSWERS)
    pool, source = example_pool(), own_error_source(f"own_answers:{name}", root)()
    with pytest.raises(UsageError, match=rf"{name}\.estimate must"):
        estimated(source, pool, np.full(60, np.nan))
    with pytest.raises(UsageError, match=rf"{name}\.draw must return at most 2 unlabelled rows"):
        drawn(source, pool, 2, np.random.default_rng(0))


def test_an_error_source_that_wants_arguments_is_refused(root: Path) -> None:
    (root / "own_answers.py").write_text(ANSWERS)
    with pytest.raises(UsageError, match=r"'own_answers:Needy' does not take these options"):
        own_error_source("own_answers:Needy", root)
