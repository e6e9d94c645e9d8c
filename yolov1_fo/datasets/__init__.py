"""FiftyOne's side of the data: checks, reading, labels, inspection, sample data.

Never imports Keras.
"""
