"""Commands in the folder of a campaign; one file each."""
