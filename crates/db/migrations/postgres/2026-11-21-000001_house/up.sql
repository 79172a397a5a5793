-- The whole model. The SQLite twin lies beside it; a test compares the two with schema.rs.
-- Instants are microseconds since 1970, closed vocabularies are text, digests are bytes. Keys that
-- lists are sorted by are collated by bytes, as SQLite does.

create table accounts (
    id bigint not null primary key generated always as identity,
    login text not null,
    login_key text collate "C" not null unique,
    kind text not null check (kind in ('user', 'organization')),
    email text,
    display_name text,
    site_admin boolean not null default false,
    suspended_at bigint,
    default_visibility text not null default 'private' check (default_visibility in ('private', 'internal', 'public')),
    base_permission text check (base_permission in ('read', 'write', 'admin')),
    create_public boolean not null default true,
    create_private boolean not null default true,
    create_internal boolean not null default true,
    inherit_access_default boolean not null default true,
    created_at bigint not null,
    updated_at bigint not null
);

create table memberships (
    org_id bigint not null references accounts (id) on delete cascade,
    user_id bigint not null references accounts (id) on delete cascade,
    role text not null check (role in ('member', 'owner')),
    created_at bigint not null,
    primary key (org_id, user_id)
);
create index memberships_user on memberships (user_id);

create table teams (
    id bigint not null primary key generated always as identity,
    org_id bigint not null references accounts (id) on delete cascade,
    slug text not null,
    slug_key text collate "C" not null,
    name text not null,
    description text,
    parent_id bigint references teams (id) on delete set null,
    created_at bigint not null,
    unique (org_id, slug_key)
);
create index teams_parent on teams (parent_id);

create table team_members (
    team_id bigint not null references teams (id) on delete cascade,
    user_id bigint not null references accounts (id) on delete cascade,
    role text not null check (role in ('member', 'maintainer')),
    primary key (team_id, user_id)
);
create index team_members_user on team_members (user_id);

create table repositories (
    id bigint not null primary key generated always as identity,
    owner_id bigint not null references accounts (id),
    name text not null,
    name_key text collate "C" not null,
    description text,
    visibility text not null check (visibility in ('private', 'internal', 'public')),
    archived_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint
);
create unique index repositories_name on repositories (owner_id, name_key) where deleted_at is null;

create table collaborators (
    repository_id bigint not null references repositories (id) on delete cascade,
    user_id bigint not null references accounts (id) on delete cascade,
    role text not null check (role in ('read', 'triage', 'write', 'maintain', 'admin')),
    primary key (repository_id, user_id)
);
create index collaborators_user on collaborators (user_id);

create table team_repositories (
    team_id bigint not null references teams (id) on delete cascade,
    repository_id bigint not null references repositories (id) on delete cascade,
    role text not null check (role in ('read', 'triage', 'write', 'maintain', 'admin')),
    primary key (team_id, repository_id)
);
create index team_repositories_repository on team_repositories (repository_id);

create table packages (
    id bigint not null primary key generated always as identity,
    owner_id bigint not null references accounts (id),
    ecosystem text not null check (ecosystem in ('npm', 'rubygems', 'maven', 'nuget', 'docker', 'container')),
    name text not null,
    name_key text collate "C" not null,
    repository_id bigint references repositories (id),
    visibility text not null check (visibility in ('private', 'internal', 'public')),
    inherit_access boolean not null,
    revision bigint not null default 0,
    live_versions bigint not null default 0 check (live_versions >= 0),
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint
);
create unique index packages_name on packages (owner_id, ecosystem, name_key) where deleted_at is null;
create index packages_repository on packages (repository_id);
create index packages_deleted on packages (deleted_at) where deleted_at is not null;

create table versions (
    id bigint not null primary key generated always as identity,
    package_id bigint not null references packages (id) on delete cascade,
    name text not null,
    name_key text collate "C" not null,
    metadata text not null,
    readme text,
    license text,
    description text,
    prerelease boolean not null,
    standing text not null default 'live' check (standing in ('live', 'deprecated', 'unlisted', 'yanked')),
    standing_reason text,
    publisher_id bigint references accounts (id),
    replay_key text,
    kept bytea,
    kept_media_type text,
    size_bytes bigint not null check (size_bytes >= 0),
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    -- counts deleted rows: a deleted version's number stays taken while it can be restored
    unique (package_id, name_key)
);
create index versions_deleted on versions (deleted_at) where deleted_at is not null;

create table blobs (
    sha256 bytea not null primary key check (octet_length(sha256) = 32),
    sha512 bytea unique check (octet_length(sha512) = 64),
    storage_key text not null unique,
    size_bytes bigint not null check (size_bytes >= 0),
    state text not null default 'live' check (state in ('live', 'condemned')),
    condemned_at bigint,
    promised_until bigint,
    created_at bigint not null
);
create index blobs_condemned on blobs (condemned_at) where condemned_at is not null;

create table files (
    id bigint not null primary key generated always as identity,
    package_id bigint not null references packages (id) on delete cascade,
    version_id bigint references versions (id) on delete cascade,
    name text collate "C" not null,
    sha256 bytea not null references blobs (sha256),
    sha512 bytea check (octet_length(sha512) = 64),
    sha1 bytea check (octet_length(sha1) = 20),
    md5 bytea check (octet_length(md5) = 16),
    size_bytes bigint not null check (size_bytes >= 0),
    media_type text not null,
    created_at bigint not null,
    unique (version_id, name)
);
create unique index files_of_package on files (package_id, name) where version_id is null;
create index files_name on files (package_id, name);
create index files_sha256 on files (sha256);

create table tags (
    package_id bigint not null references packages (id) on delete cascade,
    name text collate "C" not null,
    version_id bigint not null references versions (id) on delete cascade,
    updated_at bigint not null,
    primary key (package_id, name)
);
create index tags_version on tags (version_id);

create table links (
    package_id bigint not null references packages (id) on delete cascade,
    digest text not null,
    sha256 bytea not null references blobs (sha256),
    promised_until bigint,
    created_at bigint not null,
    primary key (package_id, digest)
);
create index links_sha256 on links (sha256);

create table version_references (
    version_id bigint not null references versions (id) on delete cascade,
    kind text not null check (kind in ('config', 'layer', 'child', 'subject')),
    digest text not null,
    media_type text,
    size_bytes bigint not null check (size_bytes >= 0),
    primary key (version_id, kind, digest)
);
create index version_references_digest on version_references (digest);

create table tokens (
    id bigint not null primary key generated always as identity,
    hash bytea not null unique check (octet_length(hash) = 32),
    shown_prefix text not null,
    kind text not null check (kind in ('classic', 'workflow')),
    account_id bigint not null references accounts (id) on delete cascade,
    note text,
    scopes text not null,
    repository_id bigint references repositories (id),
    expires_at bigint,
    last_used_day bigint,
    revoked_at bigint,
    created_at bigint not null
);
create index tokens_account on tokens (account_id);

create table uploads (
    id text not null primary key,
    package_id bigint not null references packages (id) on delete cascade,
    account_id bigint not null references accounts (id) on delete cascade,
    token_id bigint references tokens (id) on delete set null,
    storage text not null,
    length bigint not null check (length >= 0),
    hash_states bytea,
    lease_holder text,
    lease_until bigint,
    created_at bigint not null,
    touched_at bigint not null
);
create index uploads_touched on uploads (touched_at);

create table user_grants (
    package_id bigint not null references packages (id) on delete cascade,
    user_id bigint not null references accounts (id) on delete cascade,
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (package_id, user_id)
);
create index user_grants_user on user_grants (user_id);

create table team_grants (
    package_id bigint not null references packages (id) on delete cascade,
    team_id bigint not null references teams (id) on delete cascade,
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (package_id, team_id)
);
create index team_grants_team on team_grants (team_id);

create table actions_access (
    package_id bigint not null references packages (id) on delete cascade,
    repository_id bigint not null references repositories (id) on delete cascade,
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (package_id, repository_id)
);
create index actions_access_repository on actions_access (repository_id);

-- No foreign keys: an event outlives what it tells of.
create table outbox (
    id bigint not null primary key generated always as identity,
    -- ids are drawn before the commit and so become visible out of order; the transaction's id
    -- tells which rows can no longer be overtaken (a bigint, for xid8 has no ordinary type)
    txid bigint not null default (pg_current_xact_id()::text::bigint),
    kind text not null,
    package_id bigint,
    account_id bigint,
    repository_id bigint,
    token_id bigint,
    actor_id bigint,
    payload text not null,
    created_at bigint not null
);
create index outbox_txid on outbox (txid, id);

create table downloads (
    version_id bigint not null references versions (id) on delete cascade,
    day bigint not null,
    count bigint not null check (count >= 0),
    primary key (version_id, day)
);

create table jobs (
    id bigint not null primary key generated always as identity,
    kind text not null,
    unique_key text,
    payload text not null,
    run_at bigint not null,
    attempts bigint not null default 0,
    lease_until bigint,
    last_error text,
    created_at bigint not null
);
create unique index jobs_unique on jobs (kind, unique_key) where unique_key is not null;
create index jobs_due on jobs (run_at);

create table settings (
    key text not null primary key,
    value text not null
);
