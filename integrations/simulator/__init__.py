"""The systems around the workbench as a separate process, with faults at will. Imports nothing else of ours."""
