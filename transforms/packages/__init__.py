"""Models that somebody brings: a folder or zip with ``model.toml`` and weights, installed by ``doppel models add``."""
