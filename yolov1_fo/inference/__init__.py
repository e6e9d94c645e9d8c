"""Prediction of whole datasets, scores of samples, and export to other runtimes."""
