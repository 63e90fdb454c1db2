"""What is laid over a picture: sprites, stickers that sit on a head, text, and the tracker's own view."""
