"""Where the interpreter's objects live. Nothing of the engine is imported in here, so that this can come first."""
