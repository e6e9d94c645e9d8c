"""Applies models to datasets, scores samples, and exports models to other runtimes."""
