"""From image files to batches: loading, the cache of decoded images, batching.

Never imports FiftyOne.
"""
