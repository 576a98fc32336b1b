"""Settings of the project. Everything is kept in the memory of the one process."""

import os

SECRET_KEY = "a store in memory keeps no secrets: " + "k" * 20
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "host"]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "host.auth.bearer_token",
    "django_scim.middleware.SCIMAuthCheckMiddleware",
]
ROOT_URLCONF = "host.urls"
LOGGING_CONFIG = None

AUTH_USER_MODEL = "host.User"
# The passwords of these tests are worth no second of hashing.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "file:scim?mode=memory&cache=shared",
        "OPTIONS": {"uri": True},
    }
}

SCIM_SERVICE_PROVIDER = {
    "SCHEME": "http",
    "NETLOC": f"127.0.0.1:{os.environ['PORT']}",
    "GROUP_MODEL": "host.models.Group",
    "WWW_AUTHENTICATE_HEADER": 'Bearer realm="django-scim2"',
    "AUTHENTICATION_SCHEMES": [
        {"type": "oauthbearertoken", "name": "Bearer", "description": "A bearer token"}
    ],
}
