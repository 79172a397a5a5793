//! Which registries are registered, and with what.

use std::sync::Arc;

use packhouse_core::registry::Registry;
use packhouse_names::Ecosystem;

use crate::config::Config;

/// The registries of this server, each at an index that never changes.
#[derive(Clone)]
pub struct Registries(Arc<[Arc<dyn Registry>]>);

impl Registries {
    /// Registers formats; of two for one ecosystem the first is found.
    #[must_use]
    pub fn new(registries: Vec<Arc<dyn Registry>>) -> Self {
        Self(registries.into())
    }

    /// Every registry, in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Registry> {
        self.0.iter().map(|registry| &**registry)
    }

    /// The registry of an ecosystem.
    #[must_use]
    pub fn find(&self, ecosystem: Ecosystem) -> Option<&dyn Registry> {
        self.iter()
            .find(|registry| registry.ecosystem() == ecosystem)
    }

    pub(crate) fn at(&self, index: usize) -> Option<&dyn Registry> {
        self.0.get(index).map(|registry| &**registry)
    }
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(Registry::ecosystem))
            .finish()
    }
}

/// The registries that a configuration asks for.
#[must_use]
pub fn registries(config: &Config) -> Registries {
    let owner = config.access.npm_unscoped_owner.clone();
    let npm = packhouse_npm::Npm::new(owner);
    let npm = if config.access.npm_attestations {
        npm.showing_attestations()
    } else {
        npm
    };
    Registries::new(vec![
        Arc::new(npm),
        Arc::new(packhouse_docker::Docker::container()),
        Arc::new(packhouse_docker::Docker::repository_scoped()),
    ])
}
