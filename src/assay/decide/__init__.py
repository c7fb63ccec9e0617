"""Deciding: cost, facility, risk, gates and ranking, as formulas over nouns."""
