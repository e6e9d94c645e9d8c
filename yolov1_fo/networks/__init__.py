"""Keras networks: layers, backbones, inference, Keras and Darknet weights files."""
