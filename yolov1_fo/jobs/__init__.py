"""The App's child processes: launch, follow, stop, and what they run.

Never imports Keras in the App's process.
"""
