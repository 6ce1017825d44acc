"""Domain events and their delivery, webhooks, scheduled work, idempotency."""
