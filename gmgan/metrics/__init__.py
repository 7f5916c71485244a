"""Scores: arrays in, numbers out. No files, no networks."""
