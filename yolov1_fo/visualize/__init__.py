"""Boxes, shades and grid cells drawn on an image."""
