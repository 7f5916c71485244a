"""params.yaml as typed, immutable objects."""

from gmgan.config.loader import load as load
