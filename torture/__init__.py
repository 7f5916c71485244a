"""Kills and faults: the pipeline is disturbed on purpose, and its results must stay the same."""
