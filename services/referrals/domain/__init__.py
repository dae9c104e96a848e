"""The rules of referral, pure: frozen values in, a decision or a named refusal out."""
