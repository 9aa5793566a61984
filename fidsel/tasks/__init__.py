"""What a command does, without the command line: train, select, find outliers, plan, set up."""
