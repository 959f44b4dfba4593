-- An account's own key for did:plc operations, sealed; most have none and use the host's.
ALTER TABLE repo ADD COLUMN sealed_rotation_key BLOB;
