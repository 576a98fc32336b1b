"""The tables: django-scim2 leaves them to its host, and brings a mixin for users and one for groups."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class User(AbstractSCIMUserMixin, AbstractUser):
    scim_groups = models.ManyToManyField("Group", through="Membership", related_name="user_set")


class Group(AbstractSCIMGroupMixin):
    name = models.CharField(max_length=254)


class Membership(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    group = models.ForeignKey(Group, on_delete=models.CASCADE)
