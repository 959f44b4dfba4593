-- Blobs at public URLs. The key is the URL, cut to 1,500 characters; the URL is kept where that is not all of it.
CREATE TABLE remote_blob (
    id        INTEGER PRIMARY KEY,
    key       TEXT    NOT NULL UNIQUE,
    url       TEXT,
    cid       BLOB,
    size      INTEGER,
    mime      TEXT    NOT NULL,
    remote_id TEXT,
    width     INTEGER,
    height    INTEGER,
    duration  INTEGER,           -- in milliseconds
    fetched   INTEGER,
    inactive  INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL
) STRICT;
CREATE INDEX remote_blob_cid ON remote_blob (cid, updated) WHERE cid IS NOT NULL;

CREATE TABLE remote_use (
    repo INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    PRIMARY KEY (repo, blob)
) STRICT, WITHOUT ROWID;
CREATE INDEX remote_use_blob ON remote_use (blob, repo);
