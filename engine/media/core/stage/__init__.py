"""What a leg gets beyond relaying, only while someone needs it."""
