//! A house to test in, on each engine, and people who act in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use packhouse_blob::MemoryStore;
use packhouse_core::admin::Deed;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::model::{Namespace, PackageRef, PackageView};
use packhouse_core::policy::{Need, Principal, Scopes};
use packhouse_core::publish::{Draft, DraftFile, Published};
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_core::{Clock, Fault, House, HouseParts, Settings, Sums};
use packhouse_db::{Db, DbSettings, DbTarget};
use packhouse_names::{
    Ecosystem, FileName, Login, NormalizedName, NormalizedVersion, OrgRole, PackageName, TagName,
    Timestamp, VersionText, Visibility,
};
use packhouse_testkit::postgres::PostgresServer;
use tempfile::TempDir;

/// A clock that stands until it is told.
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.0
            .fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// One house; its files go with it.
pub(crate) struct TestHouse {
    pub(crate) house: Arc<House>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) blobs: Arc<MemoryStore>,
    target: DbTarget,
    _folder: Option<TempDir>,
}

/// A house on every engine that is here; SQLite always is.
pub(crate) async fn houses() -> Vec<TestHouse> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("house.db");
    let mut houses = vec![TestHouse::open(DbTarget::Sqlite(path), Some(folder)).await];
    if let Some(server) = PostgresServer::shared() {
        let target = DbTarget::Postgres(server.new_database());
        houses.push(TestHouse::open(target, None).await);
    }
    houses
}

impl TestHouse {
    async fn open(target: DbTarget, folder: Option<TempDir>) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(1_767_225_600_000_000)));
        let blobs = Arc::new(MemoryStore::new());
        let house = wire(&target, &clock, &blobs).await;
        Self {
            house,
            clock,
            blobs,
            target,
            _folder: folder,
        }
    }

    /// Another process on the same database and store; `None` on SQLite, where there is none.
    pub(crate) async fn neighbour(&self) -> Option<Arc<House>> {
        match self.target {
            DbTarget::Sqlite(_) => None,
            DbTarget::Postgres(_) => Some(wire(&self.target, &self.clock, &self.blobs).await),
        }
    }

    /// The database itself, for what no question shows.
    pub(crate) fn database(&self) -> Db {
        open(&self.target)
    }

    pub(crate) async fn does(&self, deed: Deed) -> Option<String> {
        self.house.administer(deed).await.unwrap()
    }

    pub(crate) async fn user(&self, name: &str) -> Login {
        let deed = Deed::CreateUser {
            login: login(name),
            email: None,
            site_admin: false,
        };
        self.does(deed).await;
        login(name)
    }

    pub(crate) async fn organization(&self, name: &str, owner: &Login) -> Login {
        let default_visibility = Visibility::Private;
        let owner = owner.clone();
        self.does(Deed::CreateOrg {
            login: login(name),
            owner,
            default_visibility,
        })
        .await;
        login(name)
    }

    pub(crate) async fn member(&self, org: &Login, user: &Login) {
        let (org, user) = (org.clone(), user.clone());
        self.does(Deed::AddMember {
            org,
            user,
            role: OrgRole::Member,
        })
        .await;
    }

    /// A token with these scopes.
    pub(crate) async fn token(&self, user: &Login, scopes: &str) -> String {
        let deed = Deed::CreateToken {
            user: user.clone(),
            scopes: Scopes::parse(scopes).unwrap(),
            note: None,
            expires_in: None,
            repository: None,
        };
        self.does(deed).await.unwrap()
    }

    /// A token that may do everything with packages.
    pub(crate) async fn full_token(&self, user: &Login) -> String {
        self.token(user, "read:packages,write:packages,delete:packages")
            .await
    }
}

async fn wire(target: &DbTarget, clock: &Arc<HandClock>, blobs: &Arc<MemoryStore>) -> Arc<House> {
    House::open(HouseParts {
        db: open(target),
        blobs: blobs.clone(),
        clock: clock.clone(),
        settings: Settings::default(),
    })
    .await
    .unwrap()
}

fn open(target: &DbTarget) -> Db {
    let settings = DbSettings {
        target: target.clone(),
        readers: 2,
        queue: 256,
    };
    Db::open(settings).unwrap()
}

pub(crate) fn login(name: &str) -> Login {
    Login::new(name).unwrap()
}

/// `@owner/name` as npm would have it.
pub(crate) fn package(owner: &str, name: &str) -> PackageRef {
    PackageRef {
        ecosystem: Ecosystem::Npm,
        namespace: Namespace {
            owner: login(owner),
            repository: None,
        },
        name: PackageName::new(format!("@{owner}/{name}")).unwrap(),
        key: NormalizedName::new(format!("@{owner}/{name}")).unwrap(),
    }
}

pub(crate) fn key(version: &str) -> NormalizedVersion {
    NormalizedVersion::new(version).unwrap()
}

pub(crate) fn tag(name: &str) -> TagName {
    TagName::new(name).unwrap()
}

pub(crate) async fn whoever(
    house: &House,
    token: Option<&str>,
    need: &Need,
) -> Result<Principal, Fault> {
    let credentials = token.map(|secret| Credentials {
        secret: secret.to_owned(),
        scheme: Scheme::Bearer,
    });
    house
        .authenticate(credentials.as_ref(), need, Ecosystem::Npm)
        .await
}

pub(crate) async fn reading(
    house: &Arc<House>,
    token: Option<&str>,
    package: &PackageRef,
) -> Result<ReadCx, Fault> {
    let need = Need::Read(package.clone());
    let principal = whoever(house, token, &need).await?;
    house.admit_read(principal, need).await
}

pub(crate) async fn writing(house: &Arc<House>, token: &str, need: Need) -> Result<WriteCx, Fault> {
    let principal = whoever(house, Some(token), &need).await?;
    house.admit_write(principal, need).await
}

/// What a reader sees of a package.
pub(crate) async fn view(
    house: &Arc<House>,
    token: &str,
    package: &PackageRef,
) -> Result<PackageView, Fault> {
    reading(house, Some(token), package).await?.package().await
}

/// A publish to be.
pub(crate) struct Parcel {
    pub(crate) version: &'static str,
    pub(crate) bytes: Bytes,
    pub(crate) tags: Vec<TagName>,
    pub(crate) replay_key: Option<String>,
    pub(crate) ask_public: bool,
    pub(crate) source: Option<packhouse_core::model::RepositoryRef>,
    pub(crate) description: Option<String>,
    pub(crate) keywords: Vec<String>,
}

pub(crate) fn parcel(version: &'static str) -> Parcel {
    Parcel {
        version,
        bytes: Bytes::from(format!("the bytes of {version}")),
        tags: vec![tag("latest")],
        replay_key: None,
        ask_public: false,
        source: None,
        description: None,
        keywords: Vec::new(),
    }
}

pub(crate) async fn publish(
    house: &Arc<House>,
    token: &str,
    package: &PackageRef,
    parcel: Parcel,
) -> Result<Published, Fault> {
    let cx = writing(house, token, Need::Publish(package.clone())).await?;
    let body = stream::iter([Ok(parcel.bytes)]);
    let staged = cx
        .stage(body, Sums::SHA512 | Sums::SHA1, cx.max_package_bytes())
        .await?;
    let draft = Draft {
        version: VersionText::new(parcel.version).unwrap(),
        key: key(parcel.version),
        is_prerelease: false,
        files: vec![DraftFile {
            name: FileName::new(format!("{}.tgz", parcel.version)).unwrap(),
            media_type: "application/octet-stream",
            staged,
        }],
        metadata: "{}".to_owned(),
        readme: None,
        license: None,
        description: parcel.description,
        keywords: parcel.keywords,
        authors: Vec::new(),
        tags: parcel.tags,
        tags_if_first: Vec::new(),
        kept: None,
        source: parcel.source,
        ask_public: parcel.ask_public,
        replay_key: parcel.replay_key,
    };
    cx.publish(draft).await
}

/// The versions that a reader sees, in order.
pub(crate) async fn versions(house: &Arc<House>, token: &str, package: &PackageRef) -> Vec<String> {
    match view(house, token, package).await {
        Ok(view) => view
            .versions
            .iter()
            .map(|version| version.name.to_string())
            .collect(),
        Err(Fault::NotFound { .. }) => Vec::new(),
        Err(fault) => panic!("{fault:?}"),
    }
}

/// The bytes of a file, as a download gets them.
pub(crate) async fn download(
    house: &Arc<House>,
    token: Option<&str>,
    package: &PackageRef,
    file: &str,
) -> Result<Vec<u8>, Fault> {
    use futures_util::TryStreamExt as _;
    let cx = reading(house, token, package).await?;
    let file = cx.file(&FileName::new(file).unwrap()).await?;
    let content = file.content();
    let pieces: Vec<Bytes> = house
        .open_blob(&content, 0..content.size)
        .await?
        .try_collect()
        .await
        .unwrap();
    Ok(pieces.concat())
}
