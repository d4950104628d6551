"""Drivers over the one definition: they differ in where logits come from and how many are alive at a time."""
