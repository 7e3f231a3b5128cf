"""Other libraries' names for what recurra does."""
