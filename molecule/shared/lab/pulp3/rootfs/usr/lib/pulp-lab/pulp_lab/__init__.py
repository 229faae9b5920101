"""Why this exists: what is done to the real Pulp of this lab, from inside. Pulp itself knows nothing of it."""
