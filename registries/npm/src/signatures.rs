//! The registry's signatures (`spec/npm.md` 17.1): one for every version, and the key that
//! verifies them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::cx::ReadCx;
use packhouse_core::signing::{PublicKey, Signer};
use packhouse_wire::Reply;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What OpenSSH calls the key's kind, and the curve within it.
const KEY_TYPE: &str = "ecdsa-sha2-nistp256";
const CURVE: &str = "nistp256";

/// `GET /-/npm/v1/keys`: what clients verify signatures with.
pub(crate) fn keys(cx: &ReadCx) -> Reply {
    Reply::json(
        StatusCode::OK,
        json!({ "keys": [key(cx.signer().public_key())] }).to_string(),
    )
}

/// `dist.signatures` of a version.
///
/// # Errors
/// [`Fault::Internal`] when it cannot be signed.
pub(crate) fn sign(
    signer: &Signer,
    package: &str,
    version: &str,
    integrity: &str,
) -> Result<Value, Fault> {
    let signature = signer.sign(format!("{package}@{version}:{integrity}").as_bytes())?;
    Ok(json!([{
        "keyid": key_id(signer.public_key().point()),
        "sig": STANDARD.encode(signature),
    }]))
}

fn key(key: &PublicKey) -> Value {
    json!({
        "expires": null,
        "keyid": key_id(key.point()),
        "keytype": KEY_TYPE,
        "scheme": KEY_TYPE,
        "key": STANDARD.encode(key.spki()),
    })
}

/// The fingerprint that OpenSSH shows of a key with this point.
fn key_id(point: &[u8]) -> String {
    let mut hash = Sha256::new();
    for text in [KEY_TYPE.as_bytes(), CURVE.as_bytes(), point] {
        // each is far shorter than 4 GiB
        hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(text);
    }
    format!("SHA256:{}", STANDARD_NO_PAD.encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_id_that_other_registries_publish_it_under() {
        // the two keys of the public npm registry, with their ids
        for (spki, id) in [
            (
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==",
                "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA",
            ),
            (
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEY6Ya7W++7aUPzvMTrezH6Ycx3c+HOKYCcNGybJZSCJq/fd7Qa8uuAKtdIkUQtQiEKERhAmE5lMMJhP8OkDOa2g==",
                "SHA256:DhQ8wR5APBvFHLF/+Tc+AYvPOdTpcIDqOhxsBHRwC7U",
            ),
        ] {
            let spki = STANDARD.decode(spki).unwrap();
            let (_, point) = spki.split_at(spki.len() - 65);
            assert_eq!(key_id(point), id);
        }
    }

    #[test]
    fn a_key_is_shown_as_clients_read_it() {
        let signer = Signer::ephemeral().unwrap();
        let shown = key(signer.public_key());
        let spki = STANDARD.decode(shown["key"].as_str().unwrap()).unwrap();
        assert_eq!(spki, signer.public_key().spki());
        assert_eq!(shown["expires"], Value::Null);
        assert!(shown["keyid"].as_str().unwrap().starts_with("SHA256:"));
        let signatures = sign(&signer, "@acme/widget", "1.1.0", "sha512-AA==").unwrap();
        assert_eq!(signatures[0]["keyid"], shown["keyid"]);
    }
}
