# Pulp's settings, as an installer would write them. `install` and `boot` fill in what is between @ signs; `pulp-lab` changes the last two.
SECRET_KEY = "@SECRET_KEY@"
CONTENT_ORIGIN = "https://@FQDN@"
ANALYTICS = False
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": 5432,
        "NAME": "pulp",
        "USER": "pulp",
        "PASSWORD": "Sesame-database-7f3a",
        "CONN_MAX_AGE": 0,
    }
}
REDIS_URL = "redis://127.0.0.1:6379/0"
CACHE_ENABLED = True
WORKER_TYPE = "@WORKER_TYPE@"
