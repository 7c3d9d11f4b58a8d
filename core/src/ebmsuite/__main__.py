"""``python -m ebmsuite``, which is what launchers start."""

from ebmsuite.cli import main

if __name__ == "__main__":
    main()
