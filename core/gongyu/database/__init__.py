"""PostgreSQL: the engine, a schema per district, migrations, the embedded server."""
