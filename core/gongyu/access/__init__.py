"""Sign-in, tokens, permissions, relations, audit."""
