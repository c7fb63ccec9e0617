"""Prediction: a model's operations meet a machine's rates. Formulas only: no file, no clock, no chance."""
