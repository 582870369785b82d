"""Where on one clock everything was said: packets of one stream become samples that stand at their time."""
