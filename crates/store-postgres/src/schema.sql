-- Format 1. Ids and type URLs are bytea because they are any text, U+0000 included; the views show them.
CREATE TABLE deployment (                       -- one row, fixed for ever
    id        integer PRIMARY KEY CHECK (id = 1),
    shards    integer NOT NULL,
    algorithm text    NOT NULL
);
CREATE TABLE shards (                           -- who owns a shard: the fence of every commit
    shard integer PRIMARY KEY,
    epoch bigint  NOT NULL,
    owner bytea   NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE entities (
    shard integer NOT NULL,
    eid   bigint  NOT NULL,                     -- numbered by the owner of the shard
    pid   bytea   NOT NULL,                     -- persistence id
    id    bytea   NOT NULL,                     -- entity id
    PRIMARY KEY (shard, eid),
    UNIQUE (pid, id)
);
CREATE TABLE events (                           -- a shard's log
    shard    integer NOT NULL,
    ord      bigint  NOT NULL,                  -- the offset
    eid      bigint  NOT NULL,
    seq      bigint  NOT NULL,
    type_url bytea   NOT NULL,
    payload  bytea   NOT NULL,
    checksum bigint  NOT NULL,
    epoch    bigint  NOT NULL,                  -- epoch and counter: the commit id
    counter  bigint  NOT NULL,
    PRIMARY KEY (shard, ord),
    UNIQUE (shard, eid, seq)
);
CREATE TABLE snapshots (
    shard    integer NOT NULL,
    eid      bigint  NOT NULL,
    seq      bigint  NOT NULL,                  -- of the last event that it includes
    type_url bytea   NOT NULL,
    payload  bytea   NOT NULL,
    checksum bigint  NOT NULL,
    PRIMARY KEY (shard, eid)
);
CREATE TABLE entity_values (
    shard    integer NOT NULL,
    eid      bigint  NOT NULL,
    ord      bigint  NOT NULL,                  -- the offset of the last change: the version
    type_url bytea   NOT NULL,
    payload  bytea,                             -- NULL: deleted
    checksum bigint  NOT NULL,
    epoch    bigint  NOT NULL,
    counter  bigint  NOT NULL,
    PRIMARY KEY (shard, eid),
    UNIQUE (shard, ord)
);
CREATE TABLE idempotency (
    shard    integer NOT NULL,
    eid      bigint  NOT NULL,
    key      bytea   NOT NULL,
    recorded bigint  NOT NULL,                  -- milliseconds since 1970, like expires
    expires  bigint  NOT NULL,
    answer   bytea   NOT NULL,
    ord      bigint  NOT NULL,
    epoch    bigint  NOT NULL,
    counter  bigint  NOT NULL,
    PRIMARY KEY (shard, eid, key)
);
CREATE INDEX idempotency_expires ON idempotency (shard, expires);
CREATE INDEX idempotency_ord ON idempotency (shard, ord);
CREATE TABLE offsets (
    consumer bytea   NOT NULL,
    shard    integer NOT NULL,
    ord      bigint  NOT NULL,
    PRIMARY KEY (consumer, shard)
);
CREATE TABLE leases (
    node       bytea   PRIMARY KEY,
    generation bigint  NOT NULL,
    beat       bigint  NOT NULL,
    live       boolean NOT NULL
);
CREATE VIEW event_log AS
    SELECT shard, ord, convert_from(pid, 'UTF8') AS persistence_id, convert_from(id, 'UTF8') AS entity_id,
           seq, convert_from(type_url, 'UTF8') AS type_url, payload
    FROM events JOIN entities USING (shard, eid);
CREATE VIEW value_log AS
    SELECT shard, ord, convert_from(pid, 'UTF8') AS persistence_id, convert_from(id, 'UTF8') AS entity_id,
           convert_from(type_url, 'UTF8') AS type_url, payload
    FROM entity_values JOIN entities USING (shard, eid);
