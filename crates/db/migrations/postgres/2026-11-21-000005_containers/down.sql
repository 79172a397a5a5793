alter table version_references drop column artifact_type;
