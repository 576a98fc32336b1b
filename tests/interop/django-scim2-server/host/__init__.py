"""A Django project around django-scim2-server, as its documentation shows it: nothing of SCIM is decided here."""
