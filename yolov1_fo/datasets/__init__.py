"""FiftyOne datasets: checks, reading, labels, inspection, sample data.

Never imports Keras.
"""
