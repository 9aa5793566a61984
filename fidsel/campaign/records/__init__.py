"""What a campaign writes down: rounds, their summary and report."""
