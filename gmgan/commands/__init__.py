"""By hand: draw from a run, score or cluster images of one's own, export a model, count costs."""
