"""The hub itself: what every service stands on. No business word lives here."""
