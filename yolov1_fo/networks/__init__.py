"""Keras graphs: layers, backbones, precision for prediction, Darknet's weights."""
