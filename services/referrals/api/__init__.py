"""HTTP for partners' systems: forms in, answers out; every decision is a command's."""
