"""Training runs on the dataset, their folders and checkpoints, the time they take.

Never imports Keras.
"""
