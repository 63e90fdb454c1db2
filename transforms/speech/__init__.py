"""What is said, and what the mouth does while it is: phones heard in sound, visemes, the voices of texts and files."""
