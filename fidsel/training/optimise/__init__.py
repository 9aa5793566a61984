"""The optimiser's loop: steps, validation, several members at once."""
