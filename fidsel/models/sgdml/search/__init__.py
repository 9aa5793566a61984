"""The settings of a fit: width, smoothness, noise and metric that leave the least error."""
