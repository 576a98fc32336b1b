"""Makes the tables and serves the project on the loopback address, until killed. Reads PORT and TOKEN."""

import os

import waitress
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "host.settings"
application = get_wsgi_application()


def served(environ, start_response):
    """The project, without the body of an answer to HEAD: waitress would send it."""
    answer = application(environ, start_response)
    if environ["REQUEST_METHOD"] != "HEAD":
        return answer
    answer.close()
    return []


# This connection stays open, and the store in memory with it.
call_command("migrate", run_syncdb=True, verbosity=0)
# One request at a time: connections that share a store in memory cannot wait for each other.
waitress.serve(served, host="127.0.0.1", port=int(os.environ["PORT"]), threads=1, ident=None)
