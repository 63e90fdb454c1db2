"""Frames in time: ingest, decode, chain, encode, egress. Knows no HTTP."""
