"""The strict schema of fidsel.toml, and `open_campaign`, which turns it into a campaign."""

from fidsel.config.build import build_campaign, open_campaign, open_tracker
from fidsel.config.load import load_config
from fidsel.config.schema import Config

__all__ = ["Config", "build_campaign", "load_config", "open_campaign", "open_tracker"]
