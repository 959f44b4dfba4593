-- Accounts whose creation was begun and not finished: every start looks for them, among all that there are.
CREATE INDEX repo_creating ON repo (status) WHERE status = 0;
