"""Labels that other people compute: jobs are written for them, results read back."""
