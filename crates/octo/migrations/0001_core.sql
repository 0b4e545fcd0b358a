-- Users, invite codes, tokens, sessions with their history, and who did what.
-- Times are RFC 3339 in UTC with milliseconds; see store/time.rs.

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    external_id   TEXT UNIQUE,
    username      TEXT NOT NULL UNIQUE COLLATE NOCASE,
    email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT,
    display_name  TEXT NOT NULL,
    avatar_url    TEXT,
    role          TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin', 'service')),
    is_active     INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    -- Tokens carry it; a higher one here ends them all.
    token_epoch   INTEGER NOT NULL DEFAULT 0,
    settings      TEXT NOT NULL DEFAULT '{}',
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    last_login_at TEXT
) STRICT;

CREATE TABLE invite_codes (
    id             TEXT PRIMARY KEY,
    code           TEXT NOT NULL UNIQUE,
    -- Empty where the operator made it at the command line.
    created_by     TEXT REFERENCES users (id) ON DELETE SET NULL,
    used_by        TEXT REFERENCES users (id) ON DELETE SET NULL,
    uses_remaining INTEGER NOT NULL DEFAULT 1 CHECK (uses_remaining >= 0),
    max_uses       INTEGER NOT NULL DEFAULT 1 CHECK (max_uses >= 1),
    expires_at     TEXT,
    created_at     TEXT NOT NULL,
    last_used_at   TEXT,
    note           TEXT
) STRICT;
CREATE INDEX invite_codes_created_by ON invite_codes (created_by);
CREATE INDEX invite_codes_expires_at ON invite_codes (expires_at);
CREATE INDEX invite_codes_uses_remaining ON invite_codes (uses_remaining);

-- Tokens that were logged out before their end.
CREATE TABLE revoked_tokens (
    jti        TEXT PRIMARY KEY,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);

CREATE TABLE sessions (
    id               TEXT PRIMARY KEY,
    readable_id      TEXT NOT NULL UNIQUE,
    user_id          TEXT NOT NULL REFERENCES users (id),
    status           TEXT NOT NULL CHECK (status IN ('pending', 'starting', 'running', 'stopping', 'stopped', 'failed')),
    error_message    TEXT,
    container_id     TEXT,
    container_name   TEXT NOT NULL,
    workspace_path   TEXT NOT NULL,
    image            TEXT NOT NULL,
    image_digest     TEXT,
    opencode_port    INTEGER NOT NULL,
    fileserver_port  INTEGER NOT NULL,
    ttyd_port        INTEGER NOT NULL,
    agent            TEXT,
    -- What the user asked for in the container's environment, as a JSON object. May hold secrets: never shown.
    env              TEXT NOT NULL DEFAULT '{}',
    created_at       TEXT NOT NULL,
    started_at       TEXT,
    stopped_at       TEXT,
    last_activity_at TEXT
) STRICT;
CREATE INDEX sessions_status ON sessions (status);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_container_id ON sessions (container_id);
CREATE INDEX sessions_image_digest ON sessions (image_digest);
CREATE INDEX sessions_last_activity_at ON sessions (last_activity_at);
-- Two creations at one time can never get one port.
CREATE UNIQUE INDEX sessions_opencode_port ON sessions (opencode_port) WHERE status IN ('pending', 'starting', 'running', 'stopping');
CREATE UNIQUE INDEX sessions_fileserver_port ON sessions (fileserver_port) WHERE status IN ('pending', 'starting', 'running', 'stopping');
CREATE UNIQUE INDEX sessions_ttyd_port ON sessions (ttyd_port) WHERE status IN ('pending', 'starting', 'running', 'stopping');

-- How each session came to its state.
CREATE TABLE session_events (
    id         INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    at         TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;
CREATE INDEX session_events_session ON session_events (session_id, id);

CREATE TABLE audit_log (
    id            INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    actor_id      TEXT,
    actor_ip      TEXT,
    action        TEXT NOT NULL,
    resource_type TEXT,
    resource_id   TEXT,
    outcome       TEXT NOT NULL,
    http_status   INTEGER,
    request_id    TEXT,
    detail        TEXT
) STRICT;
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_actor ON audit_log (actor_id, at);

-- Which installation this is; containers carry it as a label.
CREATE TABLE instance (
    id         TEXT PRIMARY KEY,
    created_at TEXT NOT NULL
) STRICT;
