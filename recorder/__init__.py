"""Recording: capture files, timelines, mixdown, storage. May import `codecs` only; empty until recording lands."""
