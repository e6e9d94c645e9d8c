"""Keras networks of others as FiftyOne models: keras.applications, KerasHub's tasks."""
