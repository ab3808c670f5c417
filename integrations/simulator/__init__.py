"""A tax authority and a source system as a separate process, with faults at will. Imports nothing else of ours."""
