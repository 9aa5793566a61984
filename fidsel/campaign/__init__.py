"""The campaign: buy, train, measure, pick again."""
