"""What a data set is checked for: structures, units, labels far out, leaks."""
