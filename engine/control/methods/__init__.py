"""Methods of the control socket, by what they are about; the table of all is `commands.py`."""
