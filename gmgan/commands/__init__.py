"""By hand: draw from a run, score or cluster images of your own, export a model."""
