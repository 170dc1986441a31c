//! The words in braces that a command and its environment may have: `{port}`, `{dir}` and `{revision}`.

use windlass_domain::words;

/// What they stand for.
pub(crate) struct Words {
    pub(crate) port: String,
    pub(crate) dir: String,
    pub(crate) revision: String,
}

impl Words {
    /// Fills in `{port}`, `{dir}` and `{revision}`.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        words::fill(text, &[("port", &self.port), ("dir", &self.dir), ("revision", &self.revision)])
    }
}
