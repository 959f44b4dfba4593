-- Rows are clustered by position in the tree, not by CID: (after, depth) is the streamable pre-order, and a parent's
-- entry gives the exact address of each child. Revs are TIDs as integers, times are microseconds since 1970.

-- One row: the sequence numbers. They are never reused, also when retention empties the log.
CREATE TABLE log (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    start_seq INTEGER NOT NULL,  -- the first number this store ever gives
    first_seq INTEGER NOT NULL,  -- the lowest number that retention has not dropped
    next_seq  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL   -- of all event bodies kept
) STRICT;

-- The row stays after deletion, with the last rev: revs must grow for ever.
CREATE TABLE repo (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    did        TEXT    NOT NULL UNIQUE,
    handle     TEXT    UNIQUE,
    status     INTEGER NOT NULL,
    takedown   TEXT,
    sealed_key BLOB    NOT NULL,
    created    INTEGER NOT NULL,
    last_rev   INTEGER             -- of a deleted repo; a living one has it in its head
) STRICT;

CREATE TABLE head (
    repo    INTEGER PRIMARY KEY,
    tree    INTEGER NOT NULL,
    base    INTEGER NOT NULL,  -- the rev of all rows of the tree that have rev 0
    rev     INTEGER NOT NULL,
    cid     BLOB    NOT NULL,
    block   BLOB    NOT NULL,
    root    BLOB    NOT NULL,
    height  INTEGER NOT NULL,
    records INTEGER NOT NULL
) STRICT;

-- Rows of an import have rev 0 and take the head's base: an import does not know its rev until it ends.
CREATE TABLE tree (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    repo  INTEGER NOT NULL,
    state INTEGER NOT NULL  -- 0 live, 1 staging, 2 dropped
) STRICT;
CREATE INDEX tree_state ON tree (state) WHERE state <> 0;

CREATE TABLE record (
    tree  INTEGER NOT NULL,
    path  BLOB    NOT NULL,
    rev   INTEGER NOT NULL,
    cid   BLOB    NOT NULL,
    value BLOB    NOT NULL,
    PRIMARY KEY (tree, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
    tree  INTEGER NOT NULL,
    after BLOB    NOT NULL,  -- the key before the subtree, '' for the first
    depth INTEGER NOT NULL,  -- 255 - height
    rev   INTEGER NOT NULL,
    cid   BLOB    NOT NULL,
    bytes BLOB    NOT NULL,
    PRIMARY KEY (tree, after, depth)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (
    repo      INTEGER NOT NULL,
    cid       BLOB    NOT NULL,
    object    TEXT    NOT NULL,
    mime      TEXT    NOT NULL,
    size      INTEGER NOT NULL,
    uploaded  INTEGER NOT NULL,
    temporary INTEGER NOT NULL,
    PRIMARY KEY (repo, cid)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_temporary ON blob (uploaded) WHERE temporary = 1;

CREATE TABLE blob_ref (
    tree INTEGER NOT NULL,
    cid  BLOB    NOT NULL,
    path BLOB    NOT NULL,
    rev  INTEGER NOT NULL,
    PRIMARY KEY (tree, cid, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_ref_path ON blob_ref (tree, path);

-- Objects that no row needs (any more): uploads on their way, and what deletion left.
CREATE TABLE garbage (
    object  TEXT    PRIMARY KEY,
    queued  INTEGER NOT NULL,
    pending INTEGER NOT NULL  -- 1: an upload that has not reported yet
) STRICT, WITHOUT ROWID;

-- Taken-down subjects: a record's path, or a blob's CID in text.
CREATE TABLE hidden (
    repo      INTEGER NOT NULL,
    subject   TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    PRIMARY KEY (repo, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    repo INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    time INTEGER NOT NULL,
    body BLOB    NOT NULL
) STRICT;

-- Events of the repo below these numbers are hidden: by a deletion for ever, by a takedown until it is lifted.
CREATE TABLE purge (
    repo     INTEGER PRIMARY KEY,
    deleted  INTEGER NOT NULL,
    takedown INTEGER NOT NULL
) STRICT;
