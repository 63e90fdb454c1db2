"""Pictures redrawn by networks: whole frames as paintings, faces as drawings."""
