"""How jobs run on this machine: warm worker, shares of a GPU, torch, progress."""
