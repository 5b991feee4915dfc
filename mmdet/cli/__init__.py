"""The command line, one file a command: `mmdet-solo COMMAND`, `python -m mmdet COMMAND`, tools/.

Each has `parse_args(argv)` and `main(argv)`; `commands.py` lists them, and `program.py` is how any
of them is run as a program.
"""
