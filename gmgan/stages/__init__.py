"""One module per stage: read the declared inputs, call the pure code, write the outputs."""
