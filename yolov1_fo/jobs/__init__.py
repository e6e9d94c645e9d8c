"""Jobs of the App in child processes: how they start, stop, report and work.

Never imports Keras in the App's process.
"""
