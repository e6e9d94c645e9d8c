"""The forms of the operators: their inputs, checks and messages."""
