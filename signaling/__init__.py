"""Who may connect to what: SDP offers and answers, names, sessions."""
