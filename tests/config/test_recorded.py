"""What a campaign ran with, as its rounds keep it."""

import json
import shutil
from pathlib import Path

import pytest

from fidsel.config.build import plain
from fidsel.config.load import FILE, load_config
from fidsel.config.recorded import recorded
from fidsel.exceptions import FidselError, UsageError


@pytest.fixture
def folder(small_campaign: Path, tmp_path: Path) -> Path:
    """A finished campaign whose file says something else now."""
    copy = Path(shutil.copytree(small_campaign, tmp_path / "water"))
    (copy / FILE).write_text((copy / FILE).read_text().replace("cokriging", "standard"))
    return copy


def test_rounds_know_what_the_file_says_no_more(folder: Path) -> None:
    assert load_config(folder / FILE).recipe.kind == "standard"
    ran = recorded(folder)
    assert ran is not None
    assert ran.recipe.kind == "cokriging"
    assert plain(ran) == plain(load_config(folder / FILE, ["recipe.kind=cokriging"]))
    named = recorded(folder, ["campaign.name=other"], 0)
    assert named is not None
    assert (named.campaign.name, named.recipe.kind) == ("other", "cokriging")


def test_the_last_round_is_read_or_the_one_that_is_named(folder: Path) -> None:
    path = folder / "rounds" / "0001" / "config.json"
    ran = json.loads(path.read_text())
    path.write_text(json.dumps(ran | {"budget": ran["budget"] | {"total": 30.0}}))
    totals = [one.budget.total for index in (None, 0, 1) if (one := recorded(folder, (), index))]
    assert totals == [30.0, 16.0, 30.0]
    assert recorded(folder, (), 2) is None
    shutil.rmtree(folder / "rounds")
    assert recorded(folder) is None


def test_a_damaged_record_is_named(folder: Path) -> None:
    path = folder / "rounds" / "0001" / "config.json"
    path.write_text(path.read_text().replace('"pool"', '"pond"'))
    with pytest.raises(UsageError, match=r"0001/config\.json is not valid: .*pond"):
        recorded(folder)
    path.write_text("{")
    with pytest.raises(FidselError, match=r"0001/config\.json cannot be read: .*Put back a copy"):
        recorded(folder)
