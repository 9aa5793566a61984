"""The steps of a round: propose, buy, train, measure, publish."""
