"""One cell by hand: draw from a run, score or cluster images of one's own, export a model."""
