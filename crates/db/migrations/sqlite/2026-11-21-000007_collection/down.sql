drop table leases;
drop table condemned;
alter table version_references drop column required;
