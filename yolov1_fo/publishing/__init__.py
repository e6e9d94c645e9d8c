"""Trained models in FiftyOne's local model zoo, with their cards.

Never imports Keras.
"""
