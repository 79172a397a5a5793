//! Searching packages: an index that follows the packages' revisions, and an order that mixes how
//! well the words fit with how much and how lately a package is used.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use packhouse_db::readable::Reader;
use packhouse_db::search::{self, Entry, Match, Wanted};
use packhouse_db::{Conn, Tx, accounts, downloads, packages, versions};
use packhouse_names::{Ecosystem, Login, PackageId, PackageName, Timestamp, Visibility};
use tracing::warn;

use crate::documents::{maintainers, version_view};
use crate::fault::Fault;
use crate::house::House;
use crate::model::{Namespace, VersionView};
use crate::policy::Principal;
use crate::readable;

/// Packages that are indexed in one transaction.
const BATCH: u32 = 100;

/// Batches that one search waits for; what is left is for the chores.
const BATCHES_A_SEARCH: usize = 20;

/// Batches that the chores do before they look at the clock again.
const BATCHES_A_CHORE: usize = 100;

/// So many of the best matches by words are put in order by everything; those after them stay in
/// the order of their words.
const RANKED: u32 = 1_000;

/// Words of a query beyond these are not looked at, nor letters of a word.
const MAX_WORDS: usize = 16;
const MAX_WORD_CHARS: usize = 64;

/// Words of a package's text beyond these are not indexed.
const MAX_INDEXED_WORDS: usize = 2_000;

/// How much the words count beside the client's weights.
const WEIGHT_OF_FIT: f64 = 4.0;

/// Downloads of so many days say how popular a package is, and so many are as popular as it gets.
const POPULAR_DAYS: i64 = 30;
const POPULAR_DOWNLOADS: f64 = 1_000_000.0;

/// After so many days a package is maintained half as well.
const STALE_DAYS: f64 = 180.0;

/// The tag whose version a package is found by, where it has one.
const SHOWN_TAG: &str = "latest";

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Query {
    pub ecosystem: Ecosystem,
    /// Free text: words that each must begin a word of the package.
    pub text: String,
    /// A package of exactly this name comes first.
    pub exact: Option<String>,
    /// The account that owns the package.
    pub owner: Option<Login>,
    /// Words that authors, publisher, owner or maintainers must have.
    pub people: Vec<String>,
    /// Of each group the package must have one keyword.
    pub keywords: Vec<Vec<String>>,
    /// Keywords that the package must not have.
    pub no_keywords: Vec<String>,
    /// Prereleases and versions below 1 alone, or none of them.
    pub is_unstable: Option<bool>,
    pub weights: Weights,
    /// How many to pass over.
    pub from: u32,
    /// How many to list.
    pub size: u32,
}

/// How much each side of a package counts beside the words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    pub quality: f64,
    pub popularity: f64,
    pub maintenance: f64,
}

/// A page of what was found, and how much the caller could read of it.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub total: u64,
    pub hits: Vec<Hit>,
}

/// A package that was found, with the version that people see who name none.
#[derive(Debug, Clone)]
pub struct Hit {
    pub name: PackageName,
    pub owner: Login,
    pub visibility: Visibility,
    pub version: VersionView,
    pub description: Option<String>,
    pub keywords: Vec<String>,
    pub license: Option<String>,
    /// Users with a role of their own that lets them publish, and the owner where it is a user.
    pub maintainers: Vec<Login>,
    pub updated_at: Timestamp,
    pub score: Score,
}

/// Why a package is where it is; each between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// All of it together.
    pub total: f64,
    pub quality: f64,
    pub popularity: f64,
    pub maintenance: f64,
}

/// A candidate on its way to its place.
struct Ranked {
    found: Match,
    is_exact: bool,
    score: Score,
}

impl House {
    /// Finds what the principal may read.
    pub(crate) async fn search(
        self: &Arc<Self>,
        principal: &Principal,
        namespace: Option<&Namespace>,
        query: Query,
    ) -> Result<Found, Fault> {
        self.index(BATCHES_A_SEARCH).await?;
        let reader = readable::reader(principal, self.settings.rules());
        let owner = query
            .owner
            .clone()
            .or_else(|| namespace.map(|namespace| namespace.owner.clone()));
        let now = self.now();
        self.db
            .read(move |conn| conn.snapshot(|conn| find(conn, reader, owner.as_ref(), &query, now)))
            .await
    }

    /// Indexes packages that moved on since they were indexed.
    pub(crate) async fn index(&self, batches: usize) -> Result<(), Fault> {
        for _batch in 0..batches {
            let behind = self
                .db
                .read(|conn| Ok::<_, Fault>(search::unindexed(conn, BATCH)?))
                .await?;
            if behind.is_empty() {
                break;
            }
            self.db
                .write(move |tx| {
                    for package in behind {
                        let entry = entry(tx, package)?;
                        search::index(tx, package, entry.as_ref())?;
                    }
                    Ok::<_, Fault>(())
                })
                .await?;
        }
        Ok(())
    }

    /// The chore: what publishes left behind, before somebody searches for it.
    pub(crate) async fn keep_indexed(&self) {
        if let Err(fault) = self.index(BATCHES_A_CHORE).await {
            warn!(error = %fault, "could not index packages for the search");
        }
    }
}

/// What a package is found by, as it is now; nothing where there is nothing to find.
fn entry(tx: &mut Tx<'_>, id: PackageId) -> Result<Option<Entry>, Fault> {
    let package = packages::lock(tx, id)?;
    if package.deleted_at.is_some() || package.live_versions == 0 {
        return Ok(None);
    }
    let Some(version) = versions::shown(tx, id, SHOWN_TAG)? else {
        return Ok(None);
    };
    let Some((_, owner)) = packages::with_owner(tx, id)? else {
        return Ok(None);
    };
    let publisher: Vec<_> = version.publisher_id.into_iter().collect();
    let mut people = vec![owner.login.to_string()];
    people.extend(
        accounts::logins(tx, &publisher)?
            .values()
            .map(ToString::to_string),
    );
    people.extend(maintainers(tx, id, &owner)?.iter().map(ToString::to_string));
    people.extend(version.authors.clone());
    let keywords = version.keywords.unwrap_or_default();
    Ok(Some(Entry {
        package: id,
        version: version.id,
        name: indexed(package.name.as_str()),
        description: indexed(version.description.as_deref().unwrap_or_default()),
        people: indexed(&people.join(" ")),
        keyword_list: format!("\n{}\n", keywords.to_lowercase()),
        keywords: indexed(&keywords),
        is_unstable: version.prerelease || version.name.as_str().starts_with("0."),
    }))
}

/// Words of letters and digits, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|sign: char| !sign.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let lower = word.chars().flat_map(char::to_lowercase);
            // what a letter becomes in lower case can hold marks that are neither
            lower
                .filter(|sign| sign.is_alphanumeric())
                .take(MAX_WORD_CHARS)
                .collect()
        })
}

fn indexed(text: &str) -> String {
    words(text)
        .take(MAX_INDEXED_WORDS)
        .collect::<Vec<_>>()
        .join(" ")
}

fn find(
    conn: &mut Conn,
    reader: Reader,
    owner: Option<&Login>,
    query: &Query,
    now: Timestamp,
) -> Result<Found, Fault> {
    let owner = match owner {
        None => None,
        Some(login) => match accounts::find_by_login(conn, &login.key())? {
            Some(account) => Some(account.id),
            None => return Ok(Found::default()),
        },
    };
    let wanted = Wanted {
        ecosystem: Some(query.ecosystem),
        owner,
        words: words(&query.text).take(MAX_WORDS).collect(),
        exact: query.exact.clone(),
        people: query
            .people
            .iter()
            .flat_map(|person| words(person))
            .take(MAX_WORDS)
            .collect(),
        keywords: query.keywords.clone(),
        no_keywords: query.no_keywords.clone(),
        is_unstable: query.is_unstable,
    };
    let end = query.from.saturating_add(query.size);
    let (total, page) = if end <= RANKED {
        let found = search::find(conn, reader, &wanted, 0, RANKED)?;
        let ranked = rank(conn, query, found.listed, now)?;
        let from = usize::try_from(query.from).unwrap_or(usize::MAX);
        let size = usize::try_from(query.size).unwrap_or(usize::MAX);
        (
            found.total,
            ranked.into_iter().skip(from).take(size).collect(),
        )
    } else {
        // a page across the border begins in the one order and ends in the other
        let found = search::find(conn, reader, &wanted, 0, RANKED)?;
        let mut page: Vec<Ranked> = rank(conn, query, found.listed, now)?
            .into_iter()
            .skip(usize::try_from(query.from).unwrap_or(usize::MAX))
            .collect();
        let rest = search::find(
            conn,
            reader,
            &wanted,
            query.from.max(RANKED),
            end - query.from.max(RANKED),
        )?;
        page.extend(rank(conn, query, rest.listed, now)?);
        (found.total, page)
    };
    Ok(Found {
        total,
        hits: hits(conn, page)?,
    })
}

/// Puts matches in order by everything that counts.
fn rank(
    conn: &mut Conn,
    query: &Query,
    listed: Vec<Match>,
    now: Timestamp,
) -> Result<Vec<Ranked>, Fault> {
    let ids: Vec<PackageId> = listed.iter().map(|found| found.package).collect();
    let counts = downloads::of_packages(conn, &ids, now.day() - POPULAR_DAYS)?;
    let best = listed
        .iter()
        .map(|found| found.fit)
        .fold(f64::MIN_POSITIVE, f64::max);
    let weights = query.weights;
    let all = WEIGHT_OF_FIT + weights.quality + weights.popularity + weights.maintenance;
    let mut ranked: Vec<Ranked> = listed
        .into_iter()
        .map(|found| {
            let quality = found.quality;
            let popularity = popularity(counts.get(&found.package).copied().unwrap_or_default());
            let maintenance = maintenance(now, found.updated_at);
            let fit = (found.fit / best).clamp(0.0, 1.0);
            let total = (WEIGHT_OF_FIT * fit
                + weights.quality * quality
                + weights.popularity * popularity
                + weights.maintenance * maintenance)
                / all;
            Ranked {
                is_exact: found.is_exact,
                found,
                score: Score {
                    total,
                    quality,
                    popularity,
                    maintenance,
                },
            }
        })
        .collect();
    ranked.sort_by(|a, b| {
        let by_score = b.score.total.total_cmp(&a.score.total);
        match b.is_exact.cmp(&a.is_exact).then(by_score) {
            Ordering::Equal => a.found.package.cmp(&b.found.package),
            other => other,
        }
    });
    Ok(ranked)
}

fn popularity(downloads: u64) -> f64 {
    // beyond four thousand million it is as popular as it gets
    let downloads = f64::from(u32::try_from(downloads).unwrap_or(u32::MAX));
    (downloads.ln_1p() / POPULAR_DOWNLOADS.ln_1p()).min(1.0)
}

fn maintenance(now: Timestamp, updated_at: Timestamp) -> f64 {
    let days = (now.day() - updated_at.day()).clamp(0, i64::from(i32::MAX));
    let days = i32::try_from(days).map_or(f64::MAX, f64::from);
    1.0 / (1.0 + days / STALE_DAYS)
}

/// Reads what is shown of a page.
fn hits(conn: &mut Conn, page: Vec<Ranked>) -> Result<Vec<Hit>, Fault> {
    let ids: Vec<_> = page.iter().map(|ranked| ranked.found.version).collect();
    let rows = versions::get_all(conn, &ids)?;
    let publishers_of: HashSet<_> = rows.iter().filter_map(|row| row.publisher_id).collect();
    let publishers_of: Vec<_> = publishers_of.into_iter().collect();
    let logins = accounts::logins(conn, &publishers_of)?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut hits = Vec::with_capacity(page.len());
    for ranked in page {
        let found = ranked.found;
        // indexed and read in one snapshot, but the index may name a version that went since
        let (Some(row), Some((package, owner))) = (
            rows.remove(&found.version),
            packages::with_owner(conn, found.package)?,
        ) else {
            continue;
        };
        let maintainers = maintainers(conn, found.package, &owner)?;
        hits.push(Hit {
            name: package.name,
            owner: owner.login,
            visibility: package.visibility,
            description: row.description.clone(),
            keywords: row
                .keywords
                .as_deref()
                .map(|list| list.lines().map(str::to_owned).collect())
                .unwrap_or_default(),
            license: row.license.clone(),
            version: version_view(row, &logins),
            maintainers,
            updated_at: package.updated_at,
            score: ranked.score,
        });
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_lower_case() {
        let found = |text| words(text).collect::<Vec<_>>();
        assert_eq!(found("@Acme/left-pad_2"), ["acme", "left", "pad", "2"]);
        assert_eq!(found("\"*():^- AND\0NEAR"), ["and", "near"]);
        assert_eq!(found("İstanbul 包管理"), ["istanbul", "包管理"]);
        assert_eq!(found("🦀"), Vec::<String>::new());
        let long = "x".repeat(10_000);
        assert_eq!(found(&long), ["x".repeat(MAX_WORD_CHARS)]);
    }
}
