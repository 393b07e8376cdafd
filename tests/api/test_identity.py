"""Sign-in, tokens, keys."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import jwt
import orjson

from tests.api.conftest import PASSWORD, Running, Team


async def sign_in(client: httpx.AsyncClient, email: str, **more: str) -> httpx.Response:
    return await client.post(
        "/api/v1/auth/sign-in", json={"email": email, "password": PASSWORD, **more}
    )


async def test_signing_in_gives_tokens_for_the_workspace(
    anonymous: httpx.AsyncClient, team: Team
) -> None:
    answer = await sign_in(anonymous, team.emails["editor"].upper())
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (body["token_type"], body["expires_in"], body["role"]) == ("bearer", 3600, "editor")
    assert body["user"]["id"] == str(team.users["editor"])
    assert body["workspace"] == {
        "id": str(team.workspace_id),
        "slug": team.slug,
        "name": team.slug,
        "timezone": "UTC",
    }
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert {"sub", "wid", "role", "sid", "jti", "iat", "exp"} <= claims.keys()
    me = await anonymous.get(
        "/api/v1/me", headers={"authorization": f"Bearer {body['access_token']}"}
    )
    assert me.json()["role"] == "editor"
    assert [w["slug"] for w in me.json()["workspaces"]] == [team.slug]


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    anonymous: httpx.AsyncClient, team: Team
) -> None:
    wrong = await anonymous.post(
        "/api/v1/auth/sign-in", json={"email": team.emails["owner"], "password": "no"}
    )
    unknown = await sign_in(anonymous, f"{uuid4().hex}@example.com")
    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert wrong.json() == unknown.json()


async def test_a_person_of_another_workspace_cannot_sign_in_to_it(
    anonymous: httpx.AsyncClient, team: Team, other_team: Team
) -> None:
    answer = await sign_in(anonymous, team.emails["owner"], workspace=other_team.slug)
    assert answer.status_code == 401


async def test_guessing_is_throttled(running: Running, anonymous: httpx.AsyncClient) -> None:
    email = f"{uuid4().hex}@example.com"
    now = running.resources.now()
    for _ in range(19):
        await running.resources.limiter.hit(f"sign-in:{email}", 20, 300, now)
    assert (await sign_in(anonymous, email)).status_code == 401
    answer = await sign_in(anonymous, email)
    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_requests"
    assert 0 < int(answer.headers["retry-after"]) <= 300


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(
    anonymous: httpx.AsyncClient, team: Team
) -> None:
    first = (await sign_in(anonymous, team.emails["viewer"])).json()

    async def refresh(token: str) -> httpx.Response:
        return await anonymous.post("/api/v1/auth/refresh", json={"refresh_token": token})

    second = (await refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["role"] == "viewer"
    assert (await refresh(first["refresh_token"])).status_code == 401  # stolen, or its thief came
    assert (await refresh(second["refresh_token"])).status_code == 401
    me = await anonymous.get(
        "/api/v1/me", headers={"authorization": f"Bearer {second['access_token']}"}
    )
    assert me.status_code == 401


async def test_of_two_refreshes_at_once_one_wins_and_the_session_ends(
    anonymous: httpx.AsyncClient, team: Team
) -> None:
    token = (await sign_in(anonymous, team.emails["viewer"])).json()["refresh_token"]
    answers = await asyncio.gather(
        *(anonymous.post("/api/v1/auth/refresh", json={"refresh_token": token}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_signing_out_ends_the_session(anonymous: httpx.AsyncClient, team: Team) -> None:
    session = (await sign_in(anonymous, team.emails["owner"])).json()
    headers = {"authorization": f"Bearer {session['access_token']}"}
    assert (await anonymous.get("/api/v1/me", headers=headers)).status_code == 200
    out = await anonymous.post(
        "/api/v1/auth/sign-out", json={"refresh_token": session["refresh_token"]}
    )
    assert out.status_code == 204
    assert (await anonymous.get("/api/v1/me", headers=headers)).status_code == 401
    again = await anonymous.post(
        "/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]}
    )
    assert again.status_code == 401


async def test_forged_tokens_are_refused(
    running: Running, anonymous: httpx.AsyncClient, team: Team, other_team: Team
) -> None:
    key = running.resources.secrets.signing_key
    real = jwt.decode(team.token("viewer"), options={"verify_signature": False})
    past = int((datetime.now(UTC) - timedelta(seconds=5)).timestamp())

    def unsigned(claims: dict[str, object]) -> str:
        head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=")
        body = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
        return f"{head.decode()}.{body.decode()}."

    forged = {
        "no signature": unsigned(real),
        "another key": jwt.encode(real, "x" * 43, algorithm="HS256"),
        "another algorithm": jwt.encode(real, key * 2, algorithm="HS512"),
        "expired": jwt.encode({**real, "exp": past}, key, algorithm="HS256"),
        "no end": jwt.encode({k: v for k, v in real.items() if k != "exp"}, key, "HS256"),
        "another workspace": jwt.encode(
            {**real, "wid": str(other_team.workspace_id)}, key, "HS256"
        ),
        "another session": jwt.encode({**real, "sid": str(uuid4())}, key, algorithm="HS256"),
        "another issuer": jwt.encode({**real, "iss": "x"}, key, algorithm="HS256"),
        "no member's role": jwt.encode({**real, "role": "system"}, key, algorithm="HS256"),
        "rubbish": "a.b.c",
        "a key that is none": "cvx_" + "a" * 43,
    }
    for name, token in forged.items():
        answer = await anonymous.get("/api/v1/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401, name
        assert answer.json()["code"] == "not_authenticated", name


async def test_a_role_in_a_token_gives_nothing_that_the_database_does_not(
    running: Running, anonymous: httpx.AsyncClient, team: Team
) -> None:
    real = jwt.decode(team.token("viewer"), options={"verify_signature": False})
    raised = jwt.encode(
        {**real, "role": "owner"}, running.resources.secrets.signing_key, algorithm="HS256"
    )
    answer = await anonymous.get("/api/v1/audit", headers={"authorization": f"Bearer {raised}"})
    assert answer.status_code == 403


async def test_a_removed_member_is_out_at_once(team: Team) -> None:
    assert (await team.viewer.get("/api/v1/me")).status_code == 200
    gone = await team.owner.delete(f"/api/v1/members/{team.users['viewer']}")
    assert gone.status_code == 204
    assert (await team.viewer.get("/api/v1/me")).status_code == 401


async def test_an_api_key_is_shown_once_works_and_is_revoked(
    team: Team, anonymous: httpx.AsyncClient
) -> None:
    made = await team.owner.post("/api/v1/api-keys", json={"name": "ci", "scopes": ["read"]})
    assert made.status_code == 201
    key = made.json()["key"]
    assert key.startswith("cvx_")
    assert key.startswith(made.json()["prefix"])
    listed = await team.owner.get("/api/v1/api-keys")
    assert key not in listed.text
    headers = {"authorization": f"Bearer {key}"}
    me = await anonymous.get("/api/v1/me", headers=headers)
    assert me.json()["user"] is None
    assert me.json()["role"] == "viewer"
    assert (await team.owner.delete(made.headers["location"])).status_code == 204
    assert (await anonymous.get("/api/v1/me", headers=headers)).status_code == 401
    shown = (await team.owner.get(made.headers["location"])).json()
    assert shown["revoked_at"] is not None


async def test_the_use_of_a_key_is_remembered(running: Running, team: Team) -> None:
    await team.clients["key_read"].get("/api/v1/me")
    await running.resources.authenticator.flush()
    keys = (await team.owner.get("/api/v1/api-keys")).json()["items"]
    used = {key["name"]: key["last_used_at"] for key in keys}
    assert used["read"] is not None
    assert used["write"] is None


async def test_a_key_that_has_expired_is_refused(team: Team) -> None:
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    answer = await team.owner.post(
        "/api/v1/api-keys", json={"name": "old", "scopes": ["read"], "expires_at": past}
    )
    assert answer.status_code == 422


async def test_the_last_owner_stays(team: Team) -> None:
    mine = f"/api/v1/members/{team.users['owner']}"
    assert (await team.owner.patch(mine, json={"role": "viewer"})).status_code == 409
    assert (await team.owner.delete(mine)).status_code == 409
    await team.owner.patch(f"/api/v1/members/{team.users['editor']}", json={"role": "owner"})
    assert (await team.owner.patch(mine, json={"role": "viewer"})).status_code == 200


async def test_a_new_password_ends_the_other_sessions(
    team: Team, anonymous: httpx.AsyncClient
) -> None:
    other = (await sign_in(anonymous, team.emails["editor"])).json()
    changed = await team.editor.post(
        "/api/v1/me/password",
        json={"current_password": PASSWORD, "new_password": "another long one"},
    )
    assert changed.status_code == 204
    assert (await team.editor.get("/api/v1/me")).status_code == 200
    headers = {"authorization": f"Bearer {other['access_token']}"}
    assert (await anonymous.get("/api/v1/me", headers=headers)).status_code == 401
    assert (await sign_in(anonymous, team.emails["editor"])).status_code == 401


async def test_the_audit_trail_names_who_and_is_whole(team: Team) -> None:
    await team.owner.post("/api/v1/api-keys", json={"name": "ci", "scopes": ["read"]})
    listed = (await team.owner.get("/api/v1/audit", params={"table": "api_keys"})).json()["items"]
    assert listed[0]["user"] == {"id": str(team.users["owner"]), "name": "Owner"}
    assert listed[0]["change"]["key_hash"] == "changed"
    verified = (await team.owner.get("/api/v1/audit/verify")).json()
    assert verified["whole"] is True
    assert verified["entries"] >= len(listed)
