-- Whether what a document names had to be there when it was published: foreign layers, and bytes
-- that a descriptor holds itself, need not be.
alter table version_references add column required boolean not null default true;

-- Objects of condemned blobs, from the moment they are condemned until the store has no such object
-- any more: a crash in between loses none, and neither does a blob that came back under another key.
create table condemned (
    storage_key text not null primary key,
    sha256 bytea not null check (octet_length(sha256) = 32),
    size_bytes bigint not null check (size_bytes >= 0),
    condemned_at bigint not null
);
create index condemned_due on condemned (condemned_at, storage_key);

-- Work that one process at a time does, and when it was last brought to its end.
create table leases (
    name text not null primary key,
    holder text,
    held_until bigint,
    done_at bigint
);
