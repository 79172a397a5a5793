//! Search: the client's qualifiers, and answers in the shape that its commands print
//! (`spec/npm.md` 15).

use http::{HeaderValue, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::cx::ReadCx;
use packhouse_core::search::{Found, Hit, Query, Weights};
use packhouse_names::{Ecosystem, Login};
use packhouse_wire::{Head, Reply};
use serde_json::{Map, Value, json};

use crate::documents::Stored;
use crate::name;

/// How many are listed when nothing is said, and at most.
const USUAL_SIZE: u32 = 20;
const MAX_SIZE: u32 = 250;

/// A text beyond this is refused, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

/// What npm sends when nothing else is wanted.
const USUAL_WEIGHTS: Weights = Weights {
    quality: 0.65,
    popularity: 0.98,
    maintenance: 0.5,
};

/// Answers a search.
pub(crate) async fn answer(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    let text = head.query_value("text").unwrap_or_default();
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::invalid("text", "ERR_TEXT_MISSING: text is missing"));
    }
    if text.len() > MAX_TEXT_BYTES {
        let reason = format!("text is longer than {MAX_TEXT_BYTES} bytes");
        return Err(Fault::invalid("text", reason));
    }
    let Some(query) = query(head, text) else {
        return Ok(render(&Found::default(), cx, head));
    };
    let found = cx.search(query).await?;
    Ok(render(&found, cx, head))
}

/// What is asked; nothing where a qualifier names what cannot exist.
fn query(head: &Head, text: &str) -> Option<Query> {
    let number = |name| head.query_value(name)?.parse::<u32>().ok();
    let weight = |name, usual: f64| {
        head.query_value(name)
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|weight| weight.is_finite())
            .map_or(usual, |weight| weight.clamp(0.0, 1.0))
    };
    let mut query = Query {
        ecosystem: Ecosystem::Npm,
        text: String::new(),
        exact: None,
        owner: None,
        people: Vec::new(),
        keywords: Vec::new(),
        no_keywords: Vec::new(),
        is_unstable: None,
        weights: Weights {
            quality: weight("quality", USUAL_WEIGHTS.quality),
            popularity: weight("popularity", USUAL_WEIGHTS.popularity),
            maintenance: weight("maintenance", USUAL_WEIGHTS.maintenance),
        },
        from: number("from").unwrap_or(0),
        size: number("size").unwrap_or(USUAL_SIZE).clamp(1, MAX_SIZE),
    };
    let mut words = Vec::new();
    let mut boosts_exact = true;
    for word in text.split_whitespace() {
        match word.split_once(':') {
            Some(("author" | "maintainer", person)) => query.people.push(person.to_owned()),
            Some(("scope", scope)) => {
                query.owner = Some(Login::new(scope.trim_start_matches('@')).ok()?);
            }
            Some(("keywords", list)) => keywords(&mut query, list),
            Some(("is", "unstable")) => query.is_unstable = Some(true),
            Some(("not", "unstable")) => query.is_unstable = Some(false),
            // no advisory is known of any package
            Some(("is", "insecure")) => return None,
            Some(("not", "insecure")) => {}
            Some(("boost-exact", value)) => boosts_exact = value != "false",
            _ => words.push(word),
        }
    }
    query.text = words.join(" ");
    if let ([only], true) = (&*words, boosts_exact) {
        query.exact = Some(only.to_lowercase());
    }
    Some(query)
}

/// `a,b` is either, `a+b` both, `-x` and `,-x` not.
fn keywords(query: &mut Query, list: &str) {
    for part in list.to_lowercase().split('+') {
        let (not, any): (Vec<&str>, Vec<&str>) = part
            .split(',')
            .filter(|keyword| !keyword.is_empty())
            .partition(|keyword| keyword.starts_with('-'));
        let owned = |keyword: &&str| keyword.trim_start_matches('-').to_owned();
        query.no_keywords.extend(not.iter().map(owned));
        if !any.is_empty() {
            query.keywords.push(any.iter().map(owned).collect());
        }
    }
}

fn render(found: &Found, cx: &ReadCx, head: &Head) -> Reply {
    let objects: Vec<Value> = found.hits.iter().map(|hit| object(hit, head)).collect();
    let answer = json!({
        "objects": objects,
        "total": found.total,
        "time": cx.now().to_rfc3339_millis(),
    });
    Reply::json(StatusCode::OK, answer.to_string()).with(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    )
}

fn object(hit: &Hit, head: &Head) -> Value {
    let name = hit.name.as_str();
    let mut package = Map::new();
    let mut put = |key: &str, value: Value| {
        package.insert(key.to_owned(), value);
    };
    put("name", json!(name));
    let (scope, _) = name::split(name);
    put("scope", json!(scope.unwrap_or("unscoped")));
    put("version", json!(hit.version.name.as_str()));
    put(
        "description",
        json!(hit.description.as_deref().unwrap_or_default()),
    );
    put("keywords", json!(hit.keywords));
    put("date", json!(hit.version.created_at.to_rfc3339_millis()));
    if let Some(license) = &hit.license {
        put("license", json!(license));
    }
    put("links", links(hit, head));
    let publisher = hit.version.publisher.as_ref().unwrap_or(&hit.owner);
    put("publisher", person(publisher));
    put("maintainers", hit.maintainers.iter().map(person).collect());
    let is_unstable =
        hit.version.name.as_str().starts_with("0.") || hit.version.name.as_str().contains('-');
    json!({
        "package": package,
        "score": {
            "final": hit.score.total,
            "detail": {
                "quality": hit.score.quality,
                "popularity": hit.score.popularity,
                "maintenance": hit.score.maintenance,
            },
        },
        "searchScore": hit.score.total * 100.0,
        "flags": {"insecure": 0, "unstable": is_unstable},
    })
}

/// Somebody; npm prints no address, and reads one.
fn person(login: &Login) -> Value {
    json!({"username": login.as_str(), "email": ""})
}

/// Where to read on: here, and where the package itself says.
fn links(hit: &Hit, head: &Head) -> Value {
    let mut links = json!({"npm": format!("{}/{}", head.base, hit.name)});
    let manifest = Stored::read(&hit.version)
        .ok()
        .and_then(|stored| serde_json::from_str::<Value>(stored.full.get()).ok())
        .unwrap_or_default();
    let text = |value: &Value| {
        let url = value.as_str().or_else(|| value.get("url")?.as_str())?;
        Some(url.trim_start_matches("git+").to_owned())
    };
    for key in ["homepage", "repository", "bugs"] {
        let url = manifest.get(key).and_then(text);
        if let (Some(url), Some(links)) = (url, links.as_object_mut()) {
            links.insert(key.to_owned(), json!(url));
        }
    }
    links
}

#[cfg(test)]
mod tests;
