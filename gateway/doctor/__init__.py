"""What is wrong with an installation, and what to do: one file a subject, each a list of findings."""
