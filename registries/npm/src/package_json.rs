//! The fields of a `package.json`, and how the house spells them (`spec/npm.md` 21.4, 22).

use std::fmt;

use packhouse_core::Fault;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::name::unscoped;

/// Containers within containers that a client can be expected to read.
const MAX_DEPTH: usize = 100;

/// Fields of a manifest: people write dozens, and every field is compared with the others.
const MAX_FIELDS: usize = 1000;

/// The maps from a package's name to a range of its versions.
const DEPENDENCY_MAPS: &[&str] = &[
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// Fields that the house answers for itself, or keeps elsewhere.
const NOT_KEPT: &[&str] = &[
    "deprecated",
    "dist",
    "hasInstallScript",
    "maintainers",
    "readme",
    "users",
];

/// Fields beginning with `_` that are taken from a client.
const KEPT_INTERNALS: &[&str] = &["_nodeVersion", "_npmVersion"];

/// The fields of a JSON object in their order; of a key that comes twice the last value holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest(Vec<(String, String)>);

impl Manifest {
    /// Reads a JSON object; white space between its values is dropped.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Fields(fields) = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if fields.len() > MAX_FIELDS {
            return Err(format!("it has more than {MAX_FIELDS} fields"));
        }
        let mut manifest = Self::default();
        for (key, value) in fields {
            let value = minified(value.get()).ok_or("it is nested too deeply")?;
            manifest.put(&key, value);
        }
        Ok(manifest)
    }

    /// A field as a value; `None` where it is absent, or nested too deeply to be one.
    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        serde_json::from_str(self.raw(key)?).ok()
    }

    /// A field that is a string.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.raw(key)?).ok()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// Sets a field, in its old place where it had one.
    pub(crate) fn set(&mut self, key: &str, value: &Value) {
        self.put(key, value.to_string());
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    /// Takes the fields of `other` that are not here, if `wanted`.
    pub(crate) fn fill_from(&mut self, other: &Self, wanted: impl Fn(&str) -> bool) {
        for (key, value) in &other.0 {
            if wanted(key) && !self.has(key) {
                self.0.push((key.clone(), value.clone()));
            }
        }
    }

    /// A JSON object of the fields that are `wanted`.
    pub(crate) fn to_json(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut out = String::from("{");
        for (key, value) in self.0.iter().filter(|(key, _)| wanted(key)) {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&json_string(key));
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }

    fn raw(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    fn put(&mut self, key: &str, value: String) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Brings every field into the one form that documents show; what cannot be is dropped.
    pub(crate) fn normalize(&mut self, package: &str) {
        self.0.retain(|(key, _)| {
            !NOT_KEPT.contains(&key.as_str())
                && (!key.starts_with('_') || KEPT_INTERNALS.contains(&key.as_str()))
        });
        for key in DEPENDENCY_MAPS {
            self.rewrite(key, dependency_map);
        }
        self.bundled_dependencies();
        self.optional_dependencies();
        self.rewrite("bin", |value| bin(value, package));
        self.rewrite("scripts", strings_of_map);
        self.rewrite("repository", repository);
        self.rewrite("funding", funding);
        self.rewrite("bugs", bugs);
        self.rewrite("author", person);
        self.rewrite("contributors", |value| list_of(value, person));
        self.rewrite("keywords", keywords);
        for key in ["description", "homepage", "readmeFilename", "gitHead"] {
            self.rewrite(key, |value| value.is_string().then_some(value));
        }
        if let Some(license) = self.license() {
            self.set("license", &json!(license));
        } else {
            self.remove("license");
        }
    }

    /// The licence as one string, whichever way it is spelt.
    pub(crate) fn license(&self) -> Option<String> {
        ["license", "licence", "licenses"]
            .iter()
            .find_map(|key| license(&self.get(key)?))
    }

    /// What the package calls itself by.
    pub(crate) fn keywords(&self) -> Vec<String> {
        let Some(Value::Array(list)) = self.get("keywords") else {
            return Vec::new();
        };
        list.iter()
            .filter_map(|keyword| Some(keyword.as_str()?.to_owned()))
            .collect()
    }

    /// Who wrote it, by name.
    pub(crate) fn authors(&self) -> Vec<String> {
        let name = |person: &Value| Some(person["name"].as_str()?.to_owned());
        let author = self.get("author").as_ref().and_then(name);
        let contributors = self.get("contributors");
        let contributors = contributors.as_ref().and_then(Value::as_array);
        author
            .into_iter()
            .chain(contributors.into_iter().flatten().filter_map(name))
            .collect()
    }

    /// A script that is there and says something.
    pub(crate) fn has_script(&self, name: &str) -> bool {
        self.get("scripts").is_some_and(|scripts| {
            scripts
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|command| !command.trim().is_empty())
        })
    }

    fn rewrite(&mut self, key: &str, form: impl FnOnce(Value) -> Option<Value>) {
        if !self.has(key) {
            return;
        }
        match self.get(key).and_then(form) {
            Some(value) => self.set(key, &value),
            None => self.remove(key),
        }
    }

    fn bundled_dependencies(&mut self) {
        let old = self.get("bundledDependencies");
        self.remove("bundledDependencies");
        let Some(value) = self.get("bundleDependencies").or(old) else {
            return;
        };
        let names: Vec<String> = match value {
            Value::Bool(true) => match self.get("dependencies") {
                Some(Value::Object(map)) => map.into_iter().map(|(name, _)| name).collect(),
                _ => Vec::new(),
            },
            Value::Object(map) => map.into_iter().map(|(name, _)| name).collect(),
            Value::Array(list) => list
                .into_iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        if names.is_empty() {
            self.remove("bundleDependencies");
        } else {
            self.set("bundleDependencies", &json!(names));
        }
    }

    /// What is optional is not required as well.
    fn optional_dependencies(&mut self) {
        let (Some(Value::Object(mut required)), Some(Value::Object(optional))) =
            (self.get("dependencies"), self.get("optionalDependencies"))
        else {
            return;
        };
        required.retain(|name, _| !optional.contains_key(name));
        self.set("dependencies", &Value::Object(required));
    }
}

/// The fields of an object as they stand, however often a key comes.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Reader).map(Fields)
    }
}

/// A JSON string with its quotes.
pub(crate) fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// A JSON text without white space between its tokens; `None` when it is nested too deeply.
fn minified(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for c in text.chars() {
        if in_string {
            out.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            ' ' | '\t' | '\n' | '\r' => continue,
            '"' => in_string = true,
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
        out.push(c);
    }
    Some(out)
}

fn strings_of_map(value: Value) -> Option<Value> {
    let Value::Object(mut map) = value else {
        return None;
    };
    map.retain(|_, value| value.is_string());
    Some(Value::Object(map))
}

fn dependency_map(value: Value) -> Option<Value> {
    let texts: Vec<String> = match value {
        Value::Object(_) => return strings_of_map(value),
        Value::String(text) => text
            .split(|c: char| c.is_whitespace() || c == ',')
            .map(str::to_owned)
            .collect(),
        Value::Array(list) => list
            .into_iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => return None,
    };
    let map: Map<String, Value> = texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(|text| {
            // a scope's sign is not the one before the range
            let end = text
                .char_indices()
                .skip(1)
                .find(|(_, c)| matches!(c, '@' | '>' | '<' | '=') || c.is_whitespace())
                .map_or(text.len(), |(index, _)| index);
            let (name, range) = text.split_at(end);
            let range = range.trim_start_matches('@').trim();
            (name.to_owned(), Value::from(range))
        })
        .collect();
    Some(Value::Object(map))
}

fn bin(value: Value, package: &str) -> Option<Value> {
    let commands: Vec<(String, String)> = match value {
        Value::String(target) => vec![(unscoped(package).to_owned(), target)],
        Value::Array(targets) => targets
            .into_iter()
            .filter_map(|target| {
                let target = target.as_str()?.to_owned();
                Some((last_segment(&target).to_owned(), target))
            })
            .collect(),
        Value::Object(map) => map
            .into_iter()
            .filter_map(|(name, target)| {
                let target = target.as_str()?.to_owned();
                Some((last_segment(&name).to_owned(), target))
            })
            .collect(),
        _ => return None,
    };
    let map: Map<String, Value> = commands
        .into_iter()
        .filter_map(|(name, target)| {
            let target = relative_path(&target)?;
            (!name.is_empty() && name != "." && name != "..").then(|| (name, target.into()))
        })
        .collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn last_segment(path: &str) -> &str {
    path.rsplit(['/', '\\', ':'])
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}

/// A path within the package: forward slashes, nothing that leads out of it.
fn relative_path(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn repository(value: Value) -> Option<Value> {
    let mut map = match value {
        Value::String(url) => Map::from_iter([("url".to_owned(), Value::String(url))]),
        Value::Object(map) if map.get("url").is_some_and(Value::is_string) => map,
        _ => return None,
    };
    if !map.contains_key("type") {
        map.insert("type".to_owned(), "git".into());
    }
    let url = map.get("url").and_then(Value::as_str).unwrap_or_default();
    if let Some((owner, name)) = packhouse_core::source::shorthand(url) {
        let url = format!("git+https://github.com/{owner}/{name}.git");
        map.insert("url".to_owned(), url.into());
    }
    Some(Value::Object(map))
}

fn funding(value: Value) -> Option<Value> {
    match value {
        Value::String(url) => Some(json!({ "url": url })),
        Value::Object(_) => Some(value),
        Value::Array(_) => list_of(value, funding),
        _ => None,
    }
}

fn bugs(value: Value) -> Option<Value> {
    match value {
        Value::String(text) if text.contains("://") => Some(json!({ "url": text })),
        Value::String(text) if text.contains('@') => Some(json!({ "email": text })),
        Value::Object(_) => Some(value),
        _ => None,
    }
}

/// `Name <email> (url)`
fn person(value: Value) -> Option<Value> {
    let text = match value {
        Value::String(text) => text,
        Value::Object(_) => return Some(value),
        _ => return None,
    };
    let between = |open: char, close: char| {
        let (_, rest) = text.split_once(open)?;
        let (inside, _) = rest.split_once(close)?;
        Some(inside.trim().to_owned()).filter(|inside| !inside.is_empty())
    };
    let name = text.split(['<', '(']).next().unwrap_or_default().trim();
    let mut map = Map::new();
    if !name.is_empty() {
        map.insert("name".to_owned(), name.into());
    }
    for (key, found) in [("email", between('<', '>')), ("url", between('(', ')'))] {
        if let Some(found) = found {
            map.insert(key.to_owned(), found.into());
        }
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

fn list_of(value: Value, form: impl Fn(Value) -> Option<Value>) -> Option<Value> {
    let Value::Array(list) = value else {
        return None;
    };
    Some(list.into_iter().filter_map(form).collect())
}

fn keywords(value: Value) -> Option<Value> {
    let words: Vec<Value> = match value {
        Value::String(text) => text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(Value::from)
            .collect(),
        Value::Array(list) => list.into_iter().filter(Value::is_string).collect(),
        _ => return None,
    };
    Some(words.into())
}

fn license(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Object(map) => map
            .get("type")
            .or_else(|| map.get("name"))?
            .as_str()?
            .trim()
            .to_owned(),
        Value::Array(list) => list
            .iter()
            .filter_map(license)
            .collect::<Vec<_>>()
            .join(" OR "),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Reads the `package.json` of a tarball; a byte order mark is passed over.
///
/// # Errors
/// [`Fault::Invalid`] for what is not a JSON object.
pub(crate) fn from_tarball(bytes: &[u8]) -> Result<Manifest, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let invalid =
        |why: &str| Fault::invalid("tarball", format!("package.json in the tarball: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|error| invalid(&error.to_string()))?;
    Manifest::parse(text).map_err(|why| invalid(&why))
}

#[cfg(test)]
mod tests;
