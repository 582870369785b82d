"""The compiled side of the media plane: everything that runs once per packet or per tick, without the GIL."""
