"""`python -m santral.engine.cli`: the same as the command `santral`."""

from santral.engine.cli import main

if __name__ == "__main__":
    main()
