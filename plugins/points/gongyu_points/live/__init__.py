"""Points as they come in, pushed to the screens that wait for them."""
