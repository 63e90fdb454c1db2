"""Sound on its way through a stream: Opus as it came, AAC made into Opus, held back to match the pictures."""
