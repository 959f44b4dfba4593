-- Logins. Times are microseconds since 1970 unless they end in _s (seconds, as tokens have them).

CREATE TABLE account (
    did             TEXT    PRIMARY KEY,
    state           INTEGER NOT NULL,  -- 0 creating, 1 created
    email           TEXT    UNIQUE,    -- lower case
    email_confirmed INTEGER,
    password        TEXT,              -- argon2id, PHC string
    created         INTEGER NOT NULL,
    invite          TEXT,
    deactivated     INTEGER,
    delete_after    INTEGER,
    tokens_after_s  INTEGER NOT NULL   -- access tokens issued before are void
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_token (
    id        TEXT    PRIMARY KEY,
    did       TEXT    NOT NULL,
    expires_s INTEGER NOT NULL,
    next      TEXT                     -- fixed at the first use
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_did ON refresh_token (did);
CREATE INDEX refresh_token_next ON refresh_token (next) WHERE next IS NOT NULL;

CREATE TABLE invite (
    code       TEXT    PRIMARY KEY,
    available  INTEGER NOT NULL,
    disabled   INTEGER NOT NULL,
    account    TEXT    NOT NULL,       -- who hands it out: a DID or 'admin'
    created_by TEXT    NOT NULL,
    created    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invite_account ON invite (account);

CREATE TABLE invite_use (
    code TEXT    NOT NULL,
    did  TEXT    NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (code, did)
) STRICT, WITHOUT ROWID;

CREATE TABLE preference (
    did      TEXT    NOT NULL,
    position INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    value    TEXT    NOT NULL,         -- JSON as the client wrote it
    PRIMARY KEY (did, position)
) STRICT, WITHOUT ROWID;
