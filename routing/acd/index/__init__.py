"""Sorted people and agents on plain memory: the two searches of the distributor."""
