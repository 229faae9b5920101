"""The lab's stand-in for Pulp 2's server: small, but on a real broker, real Celery and real Apache."""
