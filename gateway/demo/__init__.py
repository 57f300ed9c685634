"""The demo: a whole installation with simulated traffic, watched, and counted at the end."""
