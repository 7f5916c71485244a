"""params.yaml as typed, immutable objects."""
