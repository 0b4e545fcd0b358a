-- What a session's user asked for of the machine; empty: as the settings have it.
ALTER TABLE sessions ADD COLUMN memory_bytes INTEGER;
ALTER TABLE sessions ADD COLUMN cpus REAL;
ALTER TABLE sessions ADD COLUMN pids_limit INTEGER;
