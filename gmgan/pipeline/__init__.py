"""The graph of stages: what each reads, writes and depends on, and how it is run."""
