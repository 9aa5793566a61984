"""Dynamics of trained models: replicas, what ends them, how long they last."""
