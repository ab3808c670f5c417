"""Field maps: one payload to another, declared and not programmed.

A map is a JSON document with rules. Each rule says where a value goes (`to`), where it comes from (`from`, `value` or
`sum`) and what becomes of it on the way. `declaration` reads and refuses maps, `apply` carries them out.
"""
