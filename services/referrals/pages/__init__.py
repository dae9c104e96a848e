"""Pages for people without an account: what the API says, in words, without scripts or outside hosts."""
