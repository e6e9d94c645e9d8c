"""The circle of labels: find mistakes, suggest, accept, choose what to label next.

Modules that train or predict, `out_of_fold`, `image_scores` and `model_suggestions`,
import Keras; the others never do, so that the App's process may call them.
"""
