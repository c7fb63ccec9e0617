"""Scripts that run alone, in the user's own interpreter, with only the standard library and NumPy or PyTorch.

`engine.py PROBE SETTINGS` times a probe and writes what it finds as JSON lines. A probe is a file with one function,
`cases(kit)`, that yields (case, step, before): a table that says what the case does, a function that does it `loops`
times, and a function to call untimed before each sample, or None. Nothing here imports assay: it need not be installed
in the interpreter that is measured, which may be as old as Python 3.9.
"""
