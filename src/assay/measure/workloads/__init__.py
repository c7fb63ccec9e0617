"""Scripts that run alone, in the user's own interpreter, with only the standard library and NumPy or PyTorch.

`engine.py NAME SETTINGS` runs one and passes on what it says as JSON lines; its top says what a workload is made of.
Nothing here imports assay: it need not be installed in the interpreter that is measured.
"""
