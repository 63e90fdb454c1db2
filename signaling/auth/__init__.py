"""Who may do what: keys and tokens in, one decision out, and a line about it in the audit log."""
