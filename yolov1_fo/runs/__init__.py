"""Training runs on the dataset: records, folders, checkpoints and time estimates.

Never imports Keras.
"""
