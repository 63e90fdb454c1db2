"""Pages for readers, and what writes one of them."""
