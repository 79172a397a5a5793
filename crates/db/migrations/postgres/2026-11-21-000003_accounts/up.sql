-- Stars, and logins by browser that wait for their answer. The SQLite twin lies beside it.

create table stars (
    package_id bigint not null references packages (id) on delete cascade,
    account_id bigint not null references accounts (id) on delete cascade,
    created_at bigint not null,
    primary key (package_id, account_id)
);
create index stars_account on stars (account_id);

create table logins (
    key_hash bytea not null primary key check (length(key_hash) = 32),
    code text not null,
    token_id bigint references tokens (id) on delete cascade,
    created_at bigint not null
);
create index logins_created on logins (created_at);
create index logins_token on logins (token_id);

alter table tokens add column by_login boolean not null default false;
