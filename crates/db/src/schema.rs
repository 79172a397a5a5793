//! The tables as diesel sees them. The migrations make them; the contract suite compares the two.

diesel::table! {
    accounts (id) {
        id -> BigInt,
        login -> Text,
        login_key -> Text,
        kind -> Text,
        email -> Nullable<Text>,
        display_name -> Nullable<Text>,
        site_admin -> Bool,
        suspended_at -> Nullable<BigInt>,
        default_visibility -> Text,
        base_permission -> Nullable<Text>,
        create_public -> Bool,
        create_private -> Bool,
        create_internal -> Bool,
        inherit_access_default -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        prefix -> Text,
    }
}

diesel::table! {
    memberships (org_id, user_id) {
        org_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    teams (id) {
        id -> BigInt,
        org_id -> BigInt,
        slug -> Text,
        slug_key -> Text,
        name -> Text,
        description -> Nullable<Text>,
        parent_id -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    team_members (team_id, user_id) {
        team_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    repositories (id) {
        id -> BigInt,
        owner_id -> BigInt,
        name -> Text,
        name_key -> Text,
        description -> Nullable<Text>,
        visibility -> Text,
        archived_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    collaborators (repository_id, user_id) {
        repository_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    team_repositories (team_id, repository_id) {
        team_id -> BigInt,
        repository_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    packages (id) {
        id -> BigInt,
        owner_id -> BigInt,
        ecosystem -> Text,
        name -> Text,
        name_key -> Text,
        repository_id -> Nullable<BigInt>,
        visibility -> Text,
        inherit_access -> Bool,
        revision -> BigInt,
        live_versions -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        indexed -> Bool,
    }
}

diesel::table! {
    versions (id) {
        id -> BigInt,
        package_id -> BigInt,
        name -> Text,
        name_key -> Text,
        metadata -> Text,
        readme -> Nullable<Text>,
        license -> Nullable<Text>,
        description -> Nullable<Text>,
        prerelease -> Bool,
        standing -> Text,
        standing_reason -> Nullable<Text>,
        publisher_id -> Nullable<BigInt>,
        replay_key -> Nullable<Text>,
        kept -> Nullable<Binary>,
        kept_media_type -> Nullable<Text>,
        size_bytes -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        keywords -> Nullable<Text>,
        authors -> Nullable<Text>,
    }
}

diesel::table! {
    blobs (sha256) {
        sha256 -> Binary,
        sha512 -> Nullable<Binary>,
        storage_key -> Text,
        size_bytes -> BigInt,
        state -> Text,
        condemned_at -> Nullable<BigInt>,
        promised_until -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    files (id) {
        id -> BigInt,
        package_id -> BigInt,
        version_id -> Nullable<BigInt>,
        name -> Text,
        sha256 -> Binary,
        sha512 -> Nullable<Binary>,
        sha1 -> Nullable<Binary>,
        md5 -> Nullable<Binary>,
        size_bytes -> BigInt,
        media_type -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    tags (package_id, name) {
        package_id -> BigInt,
        name -> Text,
        version_id -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    links (package_id, digest) {
        package_id -> BigInt,
        digest -> Text,
        sha256 -> Binary,
        promised_until -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    version_references (version_id, kind, digest) {
        version_id -> BigInt,
        kind -> Text,
        digest -> Text,
        media_type -> Nullable<Text>,
        size_bytes -> BigInt,
        artifact_type -> Nullable<Text>,
        required -> Bool,
    }
}

diesel::table! {
    condemned (storage_key) {
        storage_key -> Text,
        sha256 -> Binary,
        size_bytes -> BigInt,
        condemned_at -> BigInt,
    }
}

diesel::table! {
    leases (name) {
        name -> Text,
        holder -> Nullable<Text>,
        held_until -> Nullable<BigInt>,
        done_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    tokens (id) {
        id -> BigInt,
        hash -> Binary,
        shown_prefix -> Text,
        kind -> Text,
        account_id -> BigInt,
        note -> Nullable<Text>,
        scopes -> Text,
        repository_id -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        last_used_day -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        created_at -> BigInt,
        by_login -> Bool,
    }
}

diesel::table! {
    logins (key_hash) {
        key_hash -> Binary,
        code -> Text,
        token_id -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    stars (package_id, account_id) {
        package_id -> BigInt,
        account_id -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    uploads (id) {
        id -> Text,
        package_id -> BigInt,
        account_id -> BigInt,
        token_id -> Nullable<BigInt>,
        storage -> Text,
        length -> BigInt,
        hash_states -> Nullable<Binary>,
        lease_holder -> Nullable<Text>,
        lease_until -> Nullable<BigInt>,
        created_at -> BigInt,
        touched_at -> BigInt,
    }
}

diesel::table! {
    user_grants (package_id, user_id) {
        package_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    team_grants (package_id, team_id) {
        package_id -> BigInt,
        team_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    actions_access (package_id, repository_id) {
        package_id -> BigInt,
        repository_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        txid -> BigInt,
        kind -> Text,
        package_id -> Nullable<BigInt>,
        account_id -> Nullable<BigInt>,
        repository_id -> Nullable<BigInt>,
        token_id -> Nullable<BigInt>,
        actor_id -> Nullable<BigInt>,
        payload -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    downloads (version_id, day) {
        version_id -> BigInt,
        day -> BigInt,
        count -> BigInt,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        unique_key -> Nullable<Text>,
        payload -> Text,
        run_at -> BigInt,
        attempts -> BigInt,
        lease_until -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    settings (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    search (package_id) {
        package_id -> BigInt,
        version_id -> BigInt,
        name -> Text,
        keywords -> Text,
        description -> Text,
        people -> Text,
        keyword_list -> Text,
        unstable -> Bool,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    memberships,
    teams,
    team_members,
    repositories,
    collaborators,
    team_repositories,
    packages,
    versions,
    blobs,
    files,
    tags,
    links,
    version_references,
    condemned,
    leases,
    tokens,
    logins,
    stars,
    uploads,
    user_grants,
    team_grants,
    actions_access,
    outbox,
    downloads,
    jobs,
    settings,
    search,
);
