"""``bondwatch load`` against a deployment: who sends, and what the database says in the end."""
