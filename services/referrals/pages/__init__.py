"""Pages for who has no account: what the API says, in the reader's words, without a script or an outside host."""
