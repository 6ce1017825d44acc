"""The ASGI application: routes gated per district, problem details, OpenAPI."""
