"""What is heard: digits, tones, speech. State belongs to the caller; nothing here allocates or knows of packets."""
