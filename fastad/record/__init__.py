"""Writing a tape: the columns, and the values that record themselves into it."""
