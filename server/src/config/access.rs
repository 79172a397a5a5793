use packhouse_names::Login;

use super::{Layers, Switch};

/// Who gets in without being asked, and what they are shown.
#[derive(Debug, Clone)]
pub struct Access {
    /// Public packages of every ecosystem need no token.
    pub anonymous_read: bool,
    /// The account that owns npm names without a scope.
    pub npm_unscoped_owner: Option<Login>,
    /// npm documents say where a version's provenance is.
    pub npm_attestations: bool,
}

impl Access {
    pub(super) fn resolve(layers: &mut Layers) -> Self {
        let anonymous_read =
            layers.required("anonymous-read", |layer| &layer.anonymous_read, Switch::On);
        let npm_unscoped_owner =
            layers.optional("npm-unscoped-owner", |layer| &layer.npm_unscoped_owner);
        let npm_attestations = layers.required(
            "npm-attestations",
            |layer| &layer.npm_attestations,
            Switch::Off,
        );
        Self {
            anonymous_read: anonymous_read.is_on(),
            npm_unscoped_owner,
            npm_attestations: npm_attestations.is_on(),
        }
    }
}
