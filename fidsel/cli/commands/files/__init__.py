"""Commands on files of labels, without a campaign; one file each."""
