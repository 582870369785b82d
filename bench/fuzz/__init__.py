"""Coverage-guided fuzzing of the SIP stack: `python -m santral.bench.fuzz TARGET`; the tests replay what it found."""
