-- Stars, and logins by browser that wait for their answer. The PostgreSQL twin lies beside it.

create table stars (
    package_id integer not null references packages (id) on delete cascade,
    account_id integer not null references accounts (id) on delete cascade,
    created_at integer not null,
    primary key (package_id, account_id)
) strict, without rowid;
create index stars_account on stars (account_id);

create table logins (
    key_hash blob not null primary key check (length(key_hash) = 32),
    code text not null,
    token_id integer references tokens (id) on delete cascade,
    created_at integer not null
) strict, without rowid;
create index logins_created on logins (created_at);
create index logins_token on logins (token_id);

alter table tokens add column by_login integer not null default 0 check (by_login in (0, 1));
