"""Recording: keys, capture files, timelines, mixdown, storage and proof. May import `codecs` only."""
