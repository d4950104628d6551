"""One file a library: how its distributions are read, without importing it."""
