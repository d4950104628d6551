"""Two samples compared by a distance between points: kernels and transport."""
