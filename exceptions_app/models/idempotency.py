"""Answers of the API that are kept for a while, so that a repeated request is answered and not carried out again."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class ApiRequest(models.Model):
    """One request with an Idempotency-Key, and its answer. Written in the transaction of what the request did."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 over method, address and body.")
    status = models.PositiveSmallIntegerField()
    media_type = models.CharField(max_length=100)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    stored_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="api_request_key_once")]
        indexes: ClassVar = [models.Index(fields=["stored_at"], name="api_request_by_age")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
