"""The panels and their plots."""
