"""Entry point of ``python -m ebmsuite``, which launchers such as torchrun use."""

from ebmsuite.cli import main

if __name__ == "__main__":
    main()
