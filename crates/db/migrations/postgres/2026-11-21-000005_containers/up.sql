-- What a referrer is, beside the subject that it names: lists of referrers are filtered by it.
alter table version_references add column artifact_type text;
