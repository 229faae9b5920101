"""Forms of Pulp 3's configuration, and where each leads: by the shipped binary, and by Pulp's own connection."""
