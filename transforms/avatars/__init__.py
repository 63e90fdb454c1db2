"""A still portrait that moves: what it stands on, how its head is turned, and who or what moves it."""
