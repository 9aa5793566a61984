"""The campaign: buy, train, measure, pick again."""

from fidsel.campaign.loop import iterate
from fidsel.campaign.plans.plan import plan_campaign, sample_pool
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import ControlArm, Pick, Round
from fidsel.campaign.settings import Campaign, Rules
from fidsel.training.evaluate import Metrics

__all__ = [
    "Campaign",
    "CampaignFolder",
    "ControlArm",
    "Metrics",
    "Pick",
    "Round",
    "Rules",
    "iterate",
    "plan_campaign",
    "sample_pool",
]
