"""Checks of what a caller gives: numbers, names, and their spelling."""
