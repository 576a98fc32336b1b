"""Settings of the project. Everything is kept in the memory of the one process."""

SECRET_KEY = "a store in memory keeps no secrets: " + "k" * 20
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_scim2_server"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "host.urls"
LOGGING_CONFIG = None

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "file:scim?mode=memory&cache=shared",
        "OPTIONS": {"uri": True},
    }
}

SCIM2_SERVER_AUTH_CHECK = "host.auth.holds_the_token"
