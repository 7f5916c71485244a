"""Scores, extractors, clustering, the sweep of sigma_scale: arrays in, numbers out. No files."""
