//! Other registries under the same publishes.
