"""`fidsel doctor`: what there is, what a label takes, whether labels are right."""
