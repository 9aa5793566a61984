"""`fidsel select`: rounds of picking on a file of frames."""
