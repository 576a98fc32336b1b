"""One bearer token. Who has none stays anonymous, and django-scim2's own middleware answers for that."""

import hmac
import os


class Client:
    """Whoever holds the token."""

    is_authenticated = True
    is_anonymous = False


def bearer_token(get_response):
    expected = os.environ["TOKEN"].encode()

    def middleware(request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected):
            request.user = Client()
        return get_response(request)

    return middleware
