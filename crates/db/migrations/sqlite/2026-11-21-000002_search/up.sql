-- Finding packages by words. A package whose revision moved is indexed anew by whoever searches
-- next: `indexed` is false from the statement that moved it on.

alter table versions add column keywords text;
alter table versions add column authors text;
alter table packages add column indexed integer not null default 0 check (indexed in (0, 1));
create index packages_unindexed on packages (id) where not indexed;

create table search (
    package_id integer not null primary key references packages (id) on delete cascade,
    version_id integer not null references versions (id) on delete cascade,
    name text not null,
    keywords text not null,
    description text not null,
    people text not null,
    keyword_list text not null,
    unstable integer not null check (unstable in (0, 1))
) strict;
create index search_version on search (version_id);

create virtual table search_words using fts5 (
    name, keywords, description, people,
    content = 'search', content_rowid = 'package_id', prefix = '2 3'
);
create trigger search_words_in after insert on search begin
    insert into search_words (rowid, name, keywords, description, people)
    values (new.package_id, new.name, new.keywords, new.description, new.people);
end;
create trigger search_words_out after delete on search begin
    insert into search_words (search_words, rowid, name, keywords, description, people)
    values ('delete', old.package_id, old.name, old.keywords, old.description, old.people);
end;
create trigger search_words_anew after update on search begin
    insert into search_words (search_words, rowid, name, keywords, description, people)
    values ('delete', old.package_id, old.name, old.keywords, old.description, old.people);
    insert into search_words (rowid, name, keywords, description, people)
    values (new.package_id, new.name, new.keywords, new.description, new.people);
end;
