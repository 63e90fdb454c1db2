"""Where people are in a picture: what transforms of persons and rooms share."""
