"""Verdicts over what peers heard and saw on the wire; nothing here asks the engine."""
