//! Finding packages: by words, in the right order, and never more than the caller may read.

use std::sync::Arc;
use std::time::Duration;

use packhouse_core::admin::{Deed, Grantee};
use packhouse_core::model::{Namespace, PackageRef, RepositoryRef};
use packhouse_core::policy::{Need, Scopes};
use packhouse_core::revise::Revision;
use packhouse_core::search::{Found, Query, Weights};
use packhouse_core::{Fault, House};
use packhouse_names::{
    Ecosystem, Login, NormalizedName, PackageName, RepoName, RepoRole, Role, TeamSlug, Visibility,
};

use crate::setup::{
    Parcel, TestHouse, houses, login, package, parcel, publish, reading, whoever, writing,
};

fn query(text: &str) -> Query {
    Query {
        ecosystem: Ecosystem::Npm,
        text: text.to_owned(),
        exact: None,
        owner: None,
        people: Vec::new(),
        keywords: Vec::new(),
        no_keywords: Vec::new(),
        is_unstable: None,
        weights: Weights {
            quality: 0.65,
            popularity: 0.98,
            maintenance: 0.5,
        },
        from: 0,
        size: 250,
    }
}

async fn search(house: &Arc<House>, token: Option<&str>, query: Query) -> Result<Found, Fault> {
    let need = Need::Browse(None);
    let principal = whoever(house, token, &need).await?;
    house.admit_read(principal, need).await?.search(query).await
}

async fn names(house: &Arc<House>, token: Option<&str>, query: Query) -> Vec<String> {
    let found = search(house, token, query).await.unwrap();
    let names: Vec<_> = found.hits.iter().map(|hit| hit.name.to_string()).collect();
    assert_eq!(found.total, u64::try_from(names.len()).unwrap());
    names
}

fn described(version: &'static str, description: &str, keywords: &[&str]) -> Parcel {
    Parcel {
        description: Some(description.to_owned()),
        keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        ..parcel(version)
    }
}

#[tokio::test]
async fn what_was_just_published_is_found_and_what_is_gone_is_not() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let house = &test.house;
        let pad = package("ann", "left-pad");
        assert_eq!(
            names(house, Some(&token), query("pad")).await,
            Vec::<String>::new()
        );
        publish(house, &token, &pad, described("1.0.0", "Pads", &["text"]))
            .await
            .unwrap();
        for text in ["pad", "LEFT", "left pad", "pads", "text", "ann", "pa", ""] {
            let found = names(house, Some(&token), query(text)).await;
            assert_eq!(found, ["@ann/left-pad"], "{text}");
        }
        for text in ["right", "left right", "ad"] {
            let found = names(house, Some(&token), query(text)).await;
            assert_eq!(found, Vec::<String>::new(), "{text}");
        }
        // another process finds it too
        if let Some(neighbour) = test.neighbour().await {
            let found = names(&neighbour, Some(&token), query("pad")).await;
            assert_eq!(found, ["@ann/left-pad"]);
        }
        // a later version's words replace the earlier one's
        publish(house, &token, &pad, described("1.1.0", "Fills", &[]))
            .await
            .unwrap();
        assert_eq!(
            names(house, Some(&token), query("pads")).await,
            Vec::<String>::new()
        );
        assert_eq!(
            names(house, Some(&token), query("fills")).await,
            ["@ann/left-pad"]
        );

        let cx = writing(house, &token, Need::Curate(pad)).await.unwrap();
        let revision = Revision {
            delete: packhouse_core::revise::Deletion::Package,
            ..Revision::default()
        };
        cx.revise(revision).await.unwrap();
        assert_eq!(
            names(house, Some(&token), query("fills")).await,
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn the_order_is_by_words_then_by_use_and_pages_have_no_gaps() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let house = &test.house;
        let of = |name: &str| package("ann", name);
        let publish = async |name: &str, parcel| {
            publish(house, &token, &of(name), parcel).await.unwrap();
        };
        publish("by-description", described("1.0.0", "a widget", &[])).await;
        publish("by-keyword", described("1.0.0", "", &["widget"])).await;
        publish("widget-extras", described("1.0.0", "", &[])).await;
        publish("widget", described("1.0.0", "", &[])).await;
        let exact = Query {
            exact: Some("@ann/widget".to_owned()),
            ..query("widget")
        };
        let found = names(house, Some(&token), exact).await;
        assert_eq!(found.first().unwrap(), "@ann/widget");
        assert_eq!(found.len(), 4);
        let found = names(house, Some(&token), query("widget")).await;
        assert_eq!(found.last().unwrap(), "@ann/by-description", "{found:?}");

        let mut paged = Vec::new();
        for from in 0..5 {
            let page = Query {
                from,
                size: 1,
                ..query("widget")
            };
            let page = search(house, Some(&token), page).await.unwrap();
            assert_eq!(page.total, 4);
            paged.extend(page.hits.into_iter().map(|hit| hit.name.to_string()));
        }
        assert_eq!(paged, found);

        // what is old falls behind, where that is all that is asked for
        test.clock.advance(Duration::from_secs(400 * 86_400));
        publish("widget-new", described("1.0.0", "", &[])).await;
        let lately = Query {
            weights: Weights {
                quality: 0.0,
                popularity: 0.0,
                maintenance: 1.0,
            },
            ..query("widget")
        };
        let found = search(house, Some(&token), lately).await.unwrap();
        let new = found
            .hits
            .iter()
            .find(|hit| hit.name.as_str() == "@ann/widget-new");
        assert!(new.unwrap().score.maintenance > 0.99);
        assert!(
            found
                .hits
                .iter()
                .filter(|hit| hit.name.as_str() != "@ann/widget-new")
                .all(|hit| hit.score.maintenance < 0.5)
        );
    }
}

#[tokio::test]
async fn qualifiers_narrow_what_is_found() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let acme = test.organization("acme", &ann).await;
        let token = test.full_token(&ann).await;
        let house = &test.house;
        for (name, version, keywords) in [
            ("one", "1.0.0", &["red", "dark blue"][..]),
            ("two", "0.2.0", &["Red", "100%"]),
            ("three", "1.0.0", &["green"]),
        ] {
            publish(
                house,
                &token,
                &package("ann", name),
                described(version, "", keywords),
            )
            .await
            .unwrap();
        }
        publish(house, &token, &package("acme", "four"), parcel("1.0.0"))
            .await
            .unwrap();
        let found = async |query| {
            let mut names = names(house, Some(&token), query).await;
            names.sort_unstable();
            names
        };
        let keywords = |groups: &[&[&str]], not: &[&str]| Query {
            keywords: groups
                .iter()
                .map(|group| group.iter().map(|word| (*word).to_owned()).collect())
                .collect(),
            no_keywords: not.iter().map(|word| (*word).to_owned()).collect(),
            ..query("")
        };
        assert_eq!(
            found(keywords(&[&["red"]], &[])).await,
            ["@ann/one", "@ann/two"]
        );
        assert_eq!(
            found(keywords(&[&["red"], &["dark blue", "green"]], &[])).await,
            ["@ann/one"]
        );
        assert_eq!(found(keywords(&[&["red"]], &["100%"])).await, ["@ann/one"]);
        // a part of a keyword is another one, and signs of the query language are none
        for strange in ["re", "1%", "100_", "' or 1=1"] {
            assert_eq!(
                found(keywords(&[&[strange]], &[])).await,
                Vec::<String>::new()
            );
        }
        let unstable = |is_unstable| Query {
            is_unstable: Some(is_unstable),
            ..query("")
        };
        assert_eq!(found(unstable(true)).await, ["@ann/two"]);
        assert_eq!(found(unstable(false)).await.len(), 3);
        let owned = |owner: &Login| Query {
            owner: Some(owner.clone()),
            ..query("")
        };
        assert_eq!(found(owned(&acme)).await, ["@acme/four"]);
        assert_eq!(found(owned(&login("nobody"))).await, Vec::<String>::new());
        let by = |person: &str| Query {
            people: vec![person.to_owned()],
            ..query("")
        };
        assert_eq!(found(by("acme")).await, ["@acme/four"]);
        assert_eq!(found(by("ann")).await.len(), 4);
    }
}

#[tokio::test]
async fn no_text_is_too_strange() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let house = &test.house;
        publish(house, &token, &package("ann", "one"), parcel("1.0.0"))
            .await
            .unwrap();
        let long = "word ".repeat(2_000);
        for text in [
            "\"*():^-",
            "' or '1'='1",
            "one AND",
            "NEAR(one two)",
            "name:one",
            "one\0two",
            "🦀 包管理 ÅÄÖ",
            "& | ! <-> :*",
            long.as_str(),
        ] {
            search(house, Some(&token), query(text)).await.unwrap();
        }
    }
}

/// The filter of the search is one condition for all packages, the policy decides one package;
/// they must agree for everybody.
#[tokio::test]
async fn a_search_finds_what_the_policy_lets_be_read() {
    for test in houses().await {
        let packages = estate(&test).await;
        for (who, token) in callers(&test).await {
            let token = token.as_deref();
            for ecosystem in [Ecosystem::Npm, Ecosystem::Maven, Ecosystem::Container] {
                let mut expected = Vec::new();
                for package in packages.iter().filter(|one| one.ecosystem == ecosystem) {
                    if reading(&test.house, token, package).await.is_ok() {
                        expected.push(package.name.to_string());
                    }
                }
                expected.sort_unstable();
                let all = Query {
                    ecosystem,
                    ..query("")
                };
                let mut found = names(&test.house, token, all).await;
                found.sort_unstable();
                assert_eq!(found, expected, "{who}, {ecosystem}");
            }
        }
    }
}

fn repository(owner: &str, name: &str) -> RepositoryRef {
    RepositoryRef {
        owner: login(owner),
        name: RepoName::new(name).unwrap(),
    }
}

fn in_repository(ecosystem: Ecosystem, owner: &str, repo: Option<&str>, name: &str) -> PackageRef {
    PackageRef {
        ecosystem,
        namespace: Namespace {
            owner: login(owner),
            repository: repo.map(|name| RepoName::new(name).unwrap()),
        },
        name: PackageName::new(name).unwrap(),
        key: NormalizedName::new(name).unwrap(),
    }
}

/// Packages of every visibility and every way to come by a role.
async fn estate(test: &TestHouse) -> Vec<PackageRef> {
    let boss = test.user("boss").await;
    let acme = test.organization("acme", &boss).await;
    for user in ["member", "granted", "teammate", "subteammate", "repomate"] {
        let user = test.user(user).await;
        test.member(&acme, &user).await;
    }
    for outsider in ["stranger", "collaborator", "una"] {
        test.user(outsider).await;
    }
    test.does(Deed::CreateUser {
        login: login("root"),
        email: None,
        site_admin: true,
    })
    .await;
    let team = |name: &str| TeamSlug::new(name).unwrap();
    for (slug, parent) in [("all", None), ("web", Some(team("all"))), ("repo", None)] {
        test.does(Deed::CreateTeam {
            org: acme.clone(),
            slug: team(slug),
            parent,
        })
        .await;
    }
    for (slug, user) in [("all", "teammate"), ("web", "subteammate")] {
        test.does(Deed::AddTeamMember {
            org: acme.clone(),
            team: team(slug),
            user: login(user),
        })
        .await;
    }
    let visibilities = [
        Visibility::Private,
        Visibility::Internal,
        Visibility::Public,
    ];
    for visibility in visibilities {
        let repository = repository("acme", visibility.as_str());
        test.does(Deed::CreateRepo {
            repository: repository.clone(),
            visibility,
        })
        .await;
        test.does(Deed::AddCollaborator {
            repository,
            user: login("collaborator"),
            role: RepoRole::Triage,
        })
        .await;
    }
    test.does(Deed::CreateRepo {
        repository: repository("una", "tools"),
        visibility: Visibility::Private,
    })
    .await;

    let boss = test.full_token(&boss).await;
    let una = test.full_token(&login("una")).await;
    let mut packages = Vec::new();
    for visibility in visibilities {
        let word = visibility.as_str();
        let kinds = ["plain", "user", "team", "linked", "loose"];
        for kind in kinds {
            let package = package("acme", &format!("{kind}-{word}"));
            publish(&test.house, &boss, &package, parcel("1.0.0"))
                .await
                .unwrap();
            test.does(Deed::SetVisibility {
                package: package.clone(),
                visibility,
            })
            .await;
            if matches!(kind, "linked" | "loose") {
                test.does(Deed::Link {
                    package: package.clone(),
                    repository: repository("acme", "private"),
                    inherit: Some(kind == "linked"),
                })
                .await;
            }
            let to = match kind {
                "user" => Some(Grantee::User(login("granted"))),
                "team" => Some(Grantee::Team {
                    org: login("acme"),
                    team: team("all"),
                }),
                _ => None,
            };
            if let Some(to) = to {
                test.does(Deed::Grant {
                    package: package.clone(),
                    to,
                    role: Role::Read,
                })
                .await;
            }
            packages.push(package);
        }
        let own = package("una", word);
        publish(&test.house, &una, &own, parcel("1.0.0"))
            .await
            .unwrap();
        test.does(Deed::SetVisibility {
            package: own.clone(),
            visibility,
        })
        .await;
        packages.push(own);
        let scoped = in_repository(Ecosystem::Maven, "acme", Some(word), &format!("m.{word}"));
        let image = in_repository(Ecosystem::Container, "acme", None, &format!("image-{word}"));
        for package in [scoped, image] {
            publish(&test.house, &boss, &package, parcel("1.0.0"))
                .await
                .unwrap();
            if package.ecosystem == Ecosystem::Container {
                test.does(Deed::SetVisibility {
                    package: package.clone(),
                    visibility,
                })
                .await;
            }
            packages.push(package);
        }
    }
    packages
}

/// Everybody who could be told something else, with a token.
async fn callers(test: &TestHouse) -> Vec<(String, Option<String>)> {
    let mut callers = vec![("nobody".to_owned(), None)];
    for user in [
        "boss",
        "member",
        "granted",
        "teammate",
        "subteammate",
        "repomate",
        "stranger",
        "collaborator",
        "una",
        "root",
    ] {
        let token = test.token(&login(user), "read:packages").await;
        callers.push((user.to_owned(), Some(token)));
    }
    for (owner, name, user) in [
        ("acme", "private", "boss"),
        ("acme", "public", "boss"),
        ("una", "tools", "una"),
    ] {
        let token = test
            .does(Deed::CreateToken {
                user: login(user),
                scopes: Scopes::parse("read:packages").unwrap(),
                note: None,
                expires_in: None,
                repository: Some(repository(owner, name)),
            })
            .await;
        callers.push((format!("the workflow of {owner}/{name}"), token));
    }
    callers
}
