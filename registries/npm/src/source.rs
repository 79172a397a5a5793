//! The repository that a `package.json` says the package comes from
//! (`spec/github-packages.md` 5.4).

use packhouse_core::model::RepositoryRef;
use packhouse_core::source;
use packhouse_names::Login;
use serde_json::Value;

/// The repository of this house that a `repository` field names, where it is the owner's.
///
/// An address must name this host (`host`, its port is not looked at); a shorthand,
/// `owner/name`, is always ours. Any other repository is somebody else's, and the package is
/// published without a link.
pub(crate) fn repository(field: &Value, host: &str, owner: &Login) -> Option<RepositoryRef> {
    let text = field
        .as_str()
        .or_else(|| field.get("url").and_then(Value::as_str))?;
    source::repository(text, host, owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_owners_repositories_of_this_house_are_linked() {
        let owner = Login::new("acme").unwrap();
        for (field, expected) in [
            (json!("acme/widget"), Some("acme/widget")),
            (json!("Acme/Widget"), Some("Acme/Widget")),
            (
                json!("https://pkg.example/acme/widget"),
                Some("acme/widget"),
            ),
            (
                json!({"type": "git", "url": "git+https://pkg.example:8080/acme/widget.git#main"}),
                Some("acme/widget"),
            ),
            (
                json!({"url": "git://PKG.example/acme/widget.git"}),
                Some("acme/widget"),
            ),
            (
                json!({"url": "https://pkg.example/acme/widget/"}),
                Some("acme/widget"),
            ),
            (
                json!("git+ssh://git@pkg.example/acme/widget.git"),
                Some("acme/widget"),
            ),
            (
                json!("ssh://git@pkg.example:2222/acme/widget.git"),
                Some("acme/widget"),
            ),
            (
                json!("git@pkg.example:acme/widget.git"),
                Some("acme/widget"),
            ),
            (
                json!("https://user:secret@pkg.example/acme/widget"),
                Some("acme/widget"),
            ),
            (json!("https://pkg.example.evil.example/acme/widget"), None),
            (json!("https://evil.example/pkg.example/acme/widget"), None),
            (json!("https://pkg.example@evil.example/acme/widget"), None),
            (json!("other/widget"), None),
            (json!("https://pkg.example/other/widget"), None),
            (json!("https://pkg.example/acme"), None),
            (json!("https://pkg.example/acme/widget/tree/main"), None),
            (json!("github:acme/widget"), None),
            (json!("gist:11081aaa281"), None),
            (json!("file:///acme/widget"), None),
            (json!("../acme"), None),
            (json!(""), None),
            (json!(7), None),
            (json!({}), None),
        ] {
            let found =
                repository(&field, "pkg.example:8080", &owner).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{field}");
        }
    }
}
