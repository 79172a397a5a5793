-- The uploads of an account, the latest first: beyond a number of them the others end.
create index uploads_account on uploads (account_id, touched_at);

-- What full names (`owner/name`) begin with. By it and the packages' keys a list of names is walked
-- in the order of their bytes, instead of being sorted anew for every page.
alter table accounts add column prefix text collate "C" not null generated always as (login_key || '/') stored;
create unique index accounts_prefix on accounts (prefix);
