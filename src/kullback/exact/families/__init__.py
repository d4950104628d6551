"""One file a group of families: their parameters, their densities and the closed forms of their pairs."""
