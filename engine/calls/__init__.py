"""Calls: the actor and its table, its legs, what they are joined to, what is dialled next, what is remembered."""
