"""What a plugin author tests with: the pytest plugin, the conformance suite, the static guard."""
