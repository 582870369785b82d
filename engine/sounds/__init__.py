"""Sounds the engine ships: package data, made by `make.py` in this folder and described in `README.md`."""
