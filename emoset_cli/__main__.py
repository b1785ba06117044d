"""``python -m emoset_cli`` is ``emoset``; what starts Python modules, such as ``torchrun -m``, can start it so."""

from emoset_cli.cli.main import main

if __name__ == "__main__":
    main()
