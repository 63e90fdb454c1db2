"""Pixels: frames, the transforms that change them and the models they run. Knows no network and no asyncio."""
