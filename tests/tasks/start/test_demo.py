"""The demo is a campaign, and a folder of another one is left alone."""

from pathlib import Path

import pytest

from fidsel.config import load_config
from fidsel.config.build import build_campaign
from fidsel.exceptions import UsageError
from fidsel.tasks.start.demo import create_demo


def test_demo_is_a_campaign_and_may_be_begun_again(tmp_path: Path) -> None:
    create_demo(tmp_path)
    create_demo(tmp_path)
    campaign = build_campaign(load_config(tmp_path / "fidsel.toml"), tmp_path)
    assert campaign.rules.control == "bought"


def test_another_campaign_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "fidsel.toml").write_text("mine")
    with pytest.raises(UsageError, match="belongs to another campaign"):
        create_demo(tmp_path)
    assert (tmp_path / "fidsel.toml").read_text() == "mine"
