"""The strict schema of fidsel.toml; `fidsel.config.build` turns it into a campaign."""

from fidsel.config.load import load_config
from fidsel.config.schema import Config

__all__ = ["Config", "load_config"]
