"""The error of a command: its message is all that the user is shown."""


class CommandError(Exception):
    """Something that the user can put right; the message says how."""
