"""Where notifications go."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from api.dependencies import Editor, Owner, Reading, Viewer, Writing, after_commit
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import channels as schema
from api.schemas.shared import PageOf
from convex.db.pages import Page
from convex.notifications import channel_health, channel_store
from convex.notifications.channel_store import ChannelDraft, describe
from convex.notifications.model import ChannelKind

router = new_router("channels")


@router.get("/channels", response_model=PageOf[schema.ChannelShape], summary="Channels")
async def list_channels(request: Request, caller: Viewer, connection: Reading) -> Response:
    """All of them, by name; there are few."""
    found = await channel_store.list_channels(connection, caller.identity)
    return reply_page(request, Page(found), describe)


@router.post(
    "/channels", response_model=schema.ChannelCreated, status_code=201, summary="Add a channel"
)
async def create_channel(
    request: Request, body: schema.ChannelNew, caller: Editor, connection: Writing
) -> Response:
    """A webhook without a secret gets one, which is shown this once."""
    draft = ChannelDraft(
        name=body.name,
        kind=ChannelKind(body.kind),
        config=body.config,
        secret=body.secret,
        enabled=body.enabled,
    )
    key = resources_of(request).secrets.encryption_key
    made = await channel_store.create_channel(connection, caller.identity, draft, key)
    return reply(
        request,
        {**describe(made.channel), "secret": made.revealed},
        status=201,
        headers={
            "Location": f"{PREFIX}/channels/{made.channel.id}",
            "Cache-Control": "no-store",
        },
    )


@router.get(
    "/channels/health", response_model=schema.ChannelsHealth, summary="How the channels work"
)
async def channels_health(request: Request, caller: Viewer, connection: Reading) -> Response:
    """From real deliveries of the last day: healthy, degraded, down or disconnected, and why."""
    resources = resources_of(request)
    found = await channel_health.measure_health(
        connection,
        caller.identity,
        resources.now(),
        email_works=bool(resources.settings.smtp.host),
    )
    return reply_page(request, Page(found), channel_health.describe_health)


@router.get(
    "/channels/{channel_id:uuid}", response_model=schema.ChannelShape, summary="One channel"
)
async def get_channel(
    request: Request, channel_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """Without its secret."""
    channel = await channel_store.get_channel(connection, caller.identity, channel_id)
    return reply(request, describe(channel))


@router.patch(
    "/channels/{channel_id:uuid}", response_model=schema.ChannelShape, summary="Change a channel"
)
async def change_channel(
    request: Request,
    channel_id: UUID,
    body: schema.ChannelChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed; its kind stays."""
    resources = resources_of(request)
    before = await channel_store.get_channel(connection, caller.identity, channel_id)
    check_match(request, describe(before))
    changes = {k: v for k, v in body.model_dump(exclude_unset=True).items() if v is not None}
    after = await channel_store.update_channel(
        connection,
        caller.identity,
        channel_id,
        changes,
        resources.secrets.encryption_key,
        now=resources.now(),
        expected_version=before.version if "if-match" in request.headers else None,
    )
    return reply(request, describe(after))


@router.delete("/channels/{channel_id:uuid}", status_code=204, summary="Remove a channel")
async def delete_channel(
    request: Request, channel_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """What it was still to send fails, and the ledger says so. Owners only."""
    before = await channel_store.get_channel(connection, caller.identity, channel_id)
    check_match(request, describe(before))
    await channel_store.delete_channel(connection, caller.identity, channel_id)
    return no_content()


@router.post(
    "/channels/{channel_id:uuid}/test",
    response_model=schema.ChannelTest,
    status_code=202,
    summary="Send a test",
)
async def test_channel(
    request: Request, channel_id: UUID, caller: Editor, connection: Writing
) -> Response:
    """Goes the way of every notification; what came of it is in the ledger by its id."""
    resources = resources_of(request)
    notification_id = await channel_store.send_test(
        connection, caller.identity, channel_id, resources.now()
    )
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return reply(
        request,
        {"notification_id": notification_id},
        status=202,
        headers={"Location": f"{PREFIX}/ledger?notification={notification_id}"},
    )
