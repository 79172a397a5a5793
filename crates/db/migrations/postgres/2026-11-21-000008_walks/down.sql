drop index accounts_prefix;
alter table accounts drop column prefix;
drop index uploads_account;
