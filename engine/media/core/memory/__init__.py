"""Memory that the event loop owns and lends to media threads."""
