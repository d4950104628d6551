"""Small data, models and laws with known truth, shared by entries."""
