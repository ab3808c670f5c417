"""How fast the workbench is, as ratios against a floor measured in the same run. Start it with `python -m bench`."""
