"""Estimates from counts of classes: entropies, information, divergences of two samples."""
