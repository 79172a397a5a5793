-- The whole model. The PostgreSQL twin lies beside it; a test compares the two with schema.rs.
-- Instants are microseconds since 1970, closed vocabularies are text, digests are bytes.
-- AUTOINCREMENT: an id that was given away is never given again.

create table accounts (
    id integer not null primary key autoincrement,
    login text not null,
    login_key text not null unique,
    kind text not null check (kind in ('user', 'organization')),
    email text,
    display_name text,
    site_admin integer not null default 0 check (site_admin in (0, 1)),
    suspended_at integer,
    default_visibility text not null default 'private' check (default_visibility in ('private', 'internal', 'public')),
    base_permission text check (base_permission in ('read', 'write', 'admin')),
    create_public integer not null default 1 check (create_public in (0, 1)),
    create_private integer not null default 1 check (create_private in (0, 1)),
    create_internal integer not null default 1 check (create_internal in (0, 1)),
    inherit_access_default integer not null default 1 check (inherit_access_default in (0, 1)),
    created_at integer not null,
    updated_at integer not null
) strict;

create table memberships (
    org_id integer not null references accounts (id) on delete cascade,
    user_id integer not null references accounts (id) on delete cascade,
    role text not null check (role in ('member', 'owner')),
    created_at integer not null,
    primary key (org_id, user_id)
) strict, without rowid;
create index memberships_user on memberships (user_id);

create table teams (
    id integer not null primary key autoincrement,
    org_id integer not null references accounts (id) on delete cascade,
    slug text not null,
    slug_key text not null,
    name text not null,
    description text,
    parent_id integer references teams (id) on delete set null,
    created_at integer not null,
    unique (org_id, slug_key)
) strict;
create index teams_parent on teams (parent_id);

create table team_members (
    team_id integer not null references teams (id) on delete cascade,
    user_id integer not null references accounts (id) on delete cascade,
    role text not null check (role in ('member', 'maintainer')),
    primary key (team_id, user_id)
) strict, without rowid;
create index team_members_user on team_members (user_id);

create table repositories (
    id integer not null primary key autoincrement,
    owner_id integer not null references accounts (id),
    name text not null,
    name_key text not null,
    description text,
    visibility text not null check (visibility in ('private', 'internal', 'public')),
    archived_at integer,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer
) strict;
create unique index repositories_name on repositories (owner_id, name_key) where deleted_at is null;

create table collaborators (
    repository_id integer not null references repositories (id) on delete cascade,
    user_id integer not null references accounts (id) on delete cascade,
    role text not null check (role in ('read', 'triage', 'write', 'maintain', 'admin')),
    primary key (repository_id, user_id)
) strict, without rowid;
create index collaborators_user on collaborators (user_id);

create table team_repositories (
    team_id integer not null references teams (id) on delete cascade,
    repository_id integer not null references repositories (id) on delete cascade,
    role text not null check (role in ('read', 'triage', 'write', 'maintain', 'admin')),
    primary key (team_id, repository_id)
) strict, without rowid;
create index team_repositories_repository on team_repositories (repository_id);

create table packages (
    id integer not null primary key autoincrement,
    owner_id integer not null references accounts (id),
    ecosystem text not null check (ecosystem in ('npm', 'rubygems', 'maven', 'nuget', 'docker', 'container')),
    name text not null,
    name_key text not null,
    repository_id integer references repositories (id),
    visibility text not null check (visibility in ('private', 'internal', 'public')),
    inherit_access integer not null check (inherit_access in (0, 1)),
    revision integer not null default 0,
    live_versions integer not null default 0 check (live_versions >= 0),
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer
) strict;
create unique index packages_name on packages (owner_id, ecosystem, name_key) where deleted_at is null;
create index packages_repository on packages (repository_id);
create index packages_deleted on packages (deleted_at) where deleted_at is not null;

create table versions (
    id integer not null primary key autoincrement,
    package_id integer not null references packages (id) on delete cascade,
    name text not null,
    name_key text not null,
    metadata text not null,
    readme text,
    license text,
    description text,
    prerelease integer not null check (prerelease in (0, 1)),
    standing text not null default 'live' check (standing in ('live', 'deprecated', 'unlisted', 'yanked')),
    standing_reason text,
    publisher_id integer references accounts (id),
    replay_key text,
    kept blob,
    kept_media_type text,
    size_bytes integer not null check (size_bytes >= 0),
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer,
    -- counts deleted rows: a deleted version's number stays taken while it can be restored
    unique (package_id, name_key)
) strict;
create index versions_deleted on versions (deleted_at) where deleted_at is not null;

create table blobs (
    sha256 blob not null primary key check (length(sha256) = 32),
    sha512 blob unique check (length(sha512) = 64),
    storage_key text not null unique,
    size_bytes integer not null check (size_bytes >= 0),
    state text not null default 'live' check (state in ('live', 'condemned')),
    condemned_at integer,
    promised_until integer,
    created_at integer not null
) strict;
create index blobs_condemned on blobs (condemned_at) where condemned_at is not null;

create table files (
    id integer not null primary key autoincrement,
    package_id integer not null references packages (id) on delete cascade,
    version_id integer references versions (id) on delete cascade,
    name text not null,
    sha256 blob not null references blobs (sha256),
    sha512 blob check (length(sha512) = 64),
    sha1 blob check (length(sha1) = 20),
    md5 blob check (length(md5) = 16),
    size_bytes integer not null check (size_bytes >= 0),
    media_type text not null,
    created_at integer not null,
    unique (version_id, name)
) strict;
create unique index files_of_package on files (package_id, name) where version_id is null;
create index files_name on files (package_id, name);
create index files_sha256 on files (sha256);

create table tags (
    package_id integer not null references packages (id) on delete cascade,
    name text not null,
    version_id integer not null references versions (id) on delete cascade,
    updated_at integer not null,
    primary key (package_id, name)
) strict, without rowid;
create index tags_version on tags (version_id);

create table links (
    package_id integer not null references packages (id) on delete cascade,
    digest text not null,
    sha256 blob not null references blobs (sha256),
    promised_until integer,
    created_at integer not null,
    primary key (package_id, digest)
) strict, without rowid;
create index links_sha256 on links (sha256);

create table version_references (
    version_id integer not null references versions (id) on delete cascade,
    kind text not null check (kind in ('config', 'layer', 'child', 'subject')),
    digest text not null,
    media_type text,
    size_bytes integer not null check (size_bytes >= 0),
    primary key (version_id, kind, digest)
) strict, without rowid;
create index version_references_digest on version_references (digest);

create table tokens (
    id integer not null primary key autoincrement,
    hash blob not null unique check (length(hash) = 32),
    shown_prefix text not null,
    kind text not null check (kind in ('classic', 'workflow')),
    account_id integer not null references accounts (id) on delete cascade,
    note text,
    scopes text not null,
    repository_id integer references repositories (id),
    expires_at integer,
    last_used_day integer,
    revoked_at integer,
    created_at integer not null
) strict;
create index tokens_account on tokens (account_id);

create table uploads (
    id text not null primary key,
    package_id integer not null references packages (id) on delete cascade,
    account_id integer not null references accounts (id) on delete cascade,
    token_id integer references tokens (id) on delete set null,
    storage text not null,
    length integer not null check (length >= 0),
    hash_states blob,
    lease_holder text,
    lease_until integer,
    created_at integer not null,
    touched_at integer not null
) strict, without rowid;
create index uploads_touched on uploads (touched_at);

create table user_grants (
    package_id integer not null references packages (id) on delete cascade,
    user_id integer not null references accounts (id) on delete cascade,
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (package_id, user_id)
) strict, without rowid;
create index user_grants_user on user_grants (user_id);

create table team_grants (
    package_id integer not null references packages (id) on delete cascade,
    team_id integer not null references teams (id) on delete cascade,
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (package_id, team_id)
) strict, without rowid;
create index team_grants_team on team_grants (team_id);

create table actions_access (
    package_id integer not null references packages (id) on delete cascade,
    repository_id integer not null references repositories (id) on delete cascade,
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (package_id, repository_id)
) strict, without rowid;
create index actions_access_repository on actions_access (repository_id);

-- No foreign keys: an event outlives what it tells of.
create table outbox (
    id integer not null primary key autoincrement,
    -- always 0 here: one writer commits in the order of the ids
    txid integer not null default 0,
    kind text not null,
    package_id integer,
    account_id integer,
    repository_id integer,
    token_id integer,
    actor_id integer,
    payload text not null,
    created_at integer not null
) strict;

create table downloads (
    version_id integer not null references versions (id) on delete cascade,
    day integer not null,
    count integer not null check (count >= 0),
    primary key (version_id, day)
) strict, without rowid;

create table jobs (
    id integer not null primary key autoincrement,
    kind text not null,
    unique_key text,
    payload text not null,
    run_at integer not null,
    attempts integer not null default 0,
    lease_until integer,
    last_error text,
    created_at integer not null
) strict;
create unique index jobs_unique on jobs (kind, unique_key) where unique_key is not null;
create index jobs_due on jobs (run_at);

create table settings (
    key text not null primary key,
    value text not null
) strict, without rowid;
