"""Benchmarks: what training a few dozen small networks costs, the same work by different engines.

``python -m benchmarks --help`` runs them; ``benchmarks/README.md`` says what is measured and how to read it.
From the bottom up: `workloads` (the networks), ``with_*.py`` (the engines), `engines` (one engine in one
process), `machine` (what it ran on), `tables` (medians and ratios),
``__main__`` (the rounds).
"""
