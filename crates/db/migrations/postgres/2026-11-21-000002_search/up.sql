-- Finding packages by words. A package whose revision moved is indexed anew by whoever searches
-- next: `indexed` is false from the statement that moved it on.

alter table versions add column keywords text;
alter table versions add column authors text;
alter table packages add column indexed boolean not null default false;
create index packages_unindexed on packages (id) where not indexed;

create table search (
    package_id bigint not null primary key references packages (id) on delete cascade,
    version_id bigint not null references versions (id) on delete cascade,
    name text not null,
    keywords text not null,
    description text not null,
    people text not null,
    keyword_list text not null,
    unstable boolean not null
);
create index search_version on search (version_id);

create index search_words on search using gin ((
    setweight(to_tsvector('simple'::regconfig, name), 'A')
    || setweight(to_tsvector('simple'::regconfig, keywords), 'B')
    || setweight(to_tsvector('simple'::regconfig, description), 'C')
    || setweight(to_tsvector('simple'::regconfig, people), 'D')
));
