"""One bearer token. django-scim2-server answers whoever has none itself."""

import hmac
import os


def holds_the_token(request):
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), os.environ["TOKEN"].encode())
