# Pulp's settings, as an installer would write them. `install` and `boot` fill in what is between @ signs; `pulp-lab` changes what stands on a line of its own.
SECRET_KEY = "@SECRET_KEY@"
CONTENT_ORIGIN = "https://@FQDN@"
ANALYTICS = False
API_ROOT = "/pulp/"
DOMAIN_ENABLED = False
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
# Who comes with a certificate that the web server trusts is named by it; all others say a password.
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "pulpcore.app.authentication.PulpNoCreateRemoteUserBackend"]
REMOTE_USER_ENVIRON_NAME = "HTTP_X_CERTIFICATE_OF"
REST_FRAMEWORK__DEFAULT_AUTHENTICATION_CLASSES = [
    "rest_framework.authentication.SessionAuthentication",
    "pulpcore.app.authentication.PulpRemoteUserAuthentication",
    "rest_framework.authentication.BasicAuthentication",
]
