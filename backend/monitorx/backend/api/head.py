"""HEAD on every path: load balancers and scripts ask with it whether something is there."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """HEAD is answered as GET, without the body. FastAPI's own paths know GET alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            is_body = message["type"] == "http.response.body"
            await send({**message, "body": b""} if is_body else message)

        await self._app({**scope, "method": "GET"}, receive, send_head)
