use super::Need;

/// What a short-lived token allows: the needs that were granted when it was made. It only
/// narrows; what its owner may do is decided anew each time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access(Vec<Need>);

impl Access {
    /// Allows these needs, and to be greeted.
    #[must_use]
    pub fn new(needs: Vec<Need>) -> Self {
        Self(needs)
    }

    /// The needs that it lists.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.0
    }

    /// Whether it allows a need.
    #[must_use]
    pub fn covers(&self, need: &Need) -> bool {
        matches!(need, Need::Greet | Need::SignIn) || self.0.contains(need)
    }
}
