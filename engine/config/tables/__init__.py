"""The tables of the configuration file, one frozen model each, by what they describe."""
