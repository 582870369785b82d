"""Recordings of calls and conferences: whether and how, their life, the recorder process, what is served of them."""
