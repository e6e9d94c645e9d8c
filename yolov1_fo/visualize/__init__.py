"""Draws boxes, grid cells and class names on images."""
