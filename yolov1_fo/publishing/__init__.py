"""Trained models in FiftyOne's local model zoo, and their model cards.

Never imports Keras.
"""
