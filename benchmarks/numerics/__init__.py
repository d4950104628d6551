"""What peer_numerics.py measures: kullback and its peers against mpmath."""
