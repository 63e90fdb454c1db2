"""One file per transform; the file's name is its key. Adding one touches no other file."""
