"""Nouns that are answered in a way of their own, one file each: a new file needs no other edit."""
