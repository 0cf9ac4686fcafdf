"""Write a provider over HTTP by saying how its requests and answers look; the asking is done here."""

from .events import ServerEvent
from .messages import HTTPAnswer, HTTPRequest
from .provider import HTTPProvider

__all__ = ["HTTPAnswer", "HTTPProvider", "HTTPRequest", "ServerEvent"]
