"""XML payloads of any standard: places by path, corrections step by step, and the difference of two documents.

A connector gives its `Grammar`: what may stand where by the standard's own schema. Nothing here knows a standard.
"""
