//! A migrated database and the few rows that most cases need.

use packhouse_db::accounts::{Account, NewAccount};
use packhouse_db::blobs::{Blob, NewBlob};
use packhouse_db::packages::{NewPackage, Package};
use packhouse_db::repositories::{NewRepository, Repository};
use packhouse_db::versions::NewVersion;
use packhouse_db::{
    AccountKind, Conn, Db, DbResult, DbSettings, DbTarget, Standing, Tx, accounts, blobs, packages,
    repositories, versions,
};
use packhouse_names::{
    AccountId, Ecosystem, PackageId, RepositoryId, Role, Sha256, Timestamp, VersionId, Visibility,
};
use packhouse_testkit::postgres::PostgresServer;

/// When everything happens, unless a case says otherwise.
pub(crate) const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) settings: DbSettings,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn sqlite() -> Self {
        Self::new(|folder| DbTarget::Sqlite(folder.join("house.db"))).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let server = tokio::task::block_in_place(PostgresServer::shared)?;
        let url = tokio::task::block_in_place(|| server.new_database());
        Some(Self::new(|_folder| DbTarget::Postgres(url)).await)
    }

    async fn new(target: impl FnOnce(&std::path::Path) -> DbTarget) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = DbSettings {
            target: target(folder.path()),
            readers: 4,
            queue: 256,
        };
        let db = Db::open(settings.clone()).unwrap();
        db.migrate().await.unwrap();
        Self {
            db,
            settings,
            _folder: folder,
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.settings.target, DbTarget::Sqlite(_))
    }

    /// The address, where there is one.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.settings.target {
            DbTarget::Sqlite(_) => None,
            DbTarget::Postgres(url) => Some(url),
        }
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Conn) -> DbResult<T> + Send + 'static,
    ) -> T {
        self.db.read(work).await.unwrap()
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> DbResult<T> + Send + 'static,
    ) -> T {
        self.db.write(work).await.unwrap()
    }

    pub(crate) async fn account(&self, login: &str, kind: AccountKind) -> Account {
        let new = new_account(login, kind);
        self.write(move |tx| accounts::insert(tx, &new)).await
    }

    pub(crate) async fn user(&self, login: &str) -> AccountId {
        self.account(login, AccountKind::User).await.id
    }

    pub(crate) async fn organization(&self, login: &str) -> AccountId {
        self.account(login, AccountKind::Organization).await.id
    }

    pub(crate) async fn repository(
        &self,
        owner: AccountId,
        name: &str,
        visibility: Visibility,
    ) -> Repository {
        let new = NewRepository {
            owner_id: owner,
            name: name.parse().unwrap(),
            description: None,
            visibility,
            created_at: NOON,
        };
        self.write(move |tx| repositories::insert(tx, &new)).await
    }

    pub(crate) async fn package(
        &self,
        owner: AccountId,
        name: &str,
        repository: Option<RepositoryId>,
    ) -> Package {
        let new = NewPackage {
            repository_id: repository,
            ..new_package(owner, name)
        };
        let (package, made) = self
            .write(move |tx| packages::insert_or_get(tx, &new))
            .await;
        assert!(made);
        package
    }

    pub(crate) async fn version(&self, package: PackageId, name: &str) -> VersionId {
        let new = new_version(package, name);
        self.write(move |tx| versions::insert(tx, &new)).await
    }

    pub(crate) async fn blob(&self, seed: u8) -> Blob {
        let new = new_blob(seed, seed);
        self.write(move |tx| blobs::insert_or_get(tx, &new)).await
    }
}

pub(crate) fn new_account(login: &str, kind: AccountKind) -> NewAccount {
    NewAccount {
        login: login.parse().unwrap(),
        kind,
        email: None,
        display_name: None,
        site_admin: false,
        default_visibility: Visibility::Private,
        base_permission: (kind == AccountKind::Organization).then_some(Role::Read),
        created_at: NOON,
    }
}

pub(crate) fn new_package(owner: AccountId, name: &str) -> NewPackage {
    NewPackage {
        owner_id: owner,
        ecosystem: Ecosystem::Npm,
        name: name.parse().unwrap(),
        name_key: name.to_lowercase().parse().unwrap(),
        repository_id: None,
        visibility: Visibility::Private,
        inherit_access: false,
        created_at: NOON,
    }
}

pub(crate) fn new_version(package: PackageId, name: &str) -> NewVersion {
    NewVersion {
        package_id: package,
        name: name.parse().unwrap(),
        name_key: name.parse().unwrap(),
        metadata: "{}".to_owned(),
        readme: Some("# readme".to_owned()),
        license: None,
        description: None,
        keywords: None,
        authors: None,
        prerelease: false,
        standing: Standing::Live,
        standing_reason: None,
        publisher_id: None,
        replay_key: None,
        kept: Some(vec![0, 255]),
        kept_media_type: None,
        size_bytes: 5,
        created_at: NOON,
    }
}

/// A blob whose digest and storage key are made of one byte each.
pub(crate) fn new_blob(digest: u8, key: u8) -> NewBlob {
    NewBlob {
        sha256: Sha256::new([digest; 32]),
        sha512: None,
        storage_key: format!("{key:02x}").repeat(16).parse().unwrap(),
        size_bytes: 5,
        promised_until: None,
        created_at: NOON,
    }
}
