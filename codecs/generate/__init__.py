"""What is sounded: digits and tones, at any rate."""
