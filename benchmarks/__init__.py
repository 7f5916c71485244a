"""Speed, side by side with what a user would run instead: `make bench` (benchmarks/__main__.py)."""
