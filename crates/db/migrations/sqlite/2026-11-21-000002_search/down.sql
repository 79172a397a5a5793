drop table search_words;
drop table search;
drop index packages_unindexed;
alter table packages drop column indexed;
alter table versions drop column authors;
alter table versions drop column keywords;
