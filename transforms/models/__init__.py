"""Packages of weights: their catalogue, their store, and the runtimes that run them."""
