-- Which records have a backlink to a target. The target is the first 16 bytes of the SHA-256 of its text, so that rows are
-- short whatever it is.
CREATE TABLE backlink (
    tree   INTEGER NOT NULL,
    target BLOB    NOT NULL,
    path   BLOB    NOT NULL,
    PRIMARY KEY (tree, target, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX backlink_path ON backlink (tree, path);

-- Up to which path a tree's backlinks are filled, NULL: all. A tree that was there before the index starts at ''; it is filled
-- when its owner next needs it, in small steps, and until then it is not asked. New trees are complete from the start.
ALTER TABLE tree ADD COLUMN linked_to BLOB DEFAULT x'';
