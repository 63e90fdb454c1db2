"""Changes of a picture's colours: tables over YUV, light, and lookup tables from files."""
