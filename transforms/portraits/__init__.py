"""Portraits that somebody uploads: read, checked, and with what is known of the face in them."""
