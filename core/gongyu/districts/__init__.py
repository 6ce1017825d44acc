"""Districts: what each one is, which plugins it uses and with which settings."""
