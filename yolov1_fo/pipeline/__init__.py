"""From image files to batches: decoding, caching, shuffling, batching.

Never imports FiftyOne.
"""
