alter table tokens drop column by_login;
drop table logins;
drop table stars;
