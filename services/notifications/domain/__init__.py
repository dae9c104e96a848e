"""Who is told, when again, and why not: pure rules on frozen values."""
