//! What `windlass explain` can say: every error, metric, rule and step has one topic.

/// One thing that `windlass explain` explains. Crates declare theirs as constants and list them in a
/// `TOPICS` slice, which the umbrella joins.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// The word to ask for: `policy.unknown-key`, `tests.failed`, `3`.
    pub key: &'static str,
    /// What it means, in a few sentences.
    pub means: &'static str,
    /// What to do about it.
    pub next: &'static str,
}

/// Declares topics and the list of them: `topics! { [pub(crate), pub static TOPICS] NAME = "key": "means", "next"; … }`.
#[macro_export]
macro_rules! topics {
    ([$vis:vis, $list_vis:vis static $list:ident] $($(#[$doc:meta])* $name:ident = $key:literal: $means:literal, $next:literal;)*) => {
        $(
            $(#[$doc])*
            $vis static $name: $crate::explain::Topic =
                $crate::explain::Topic { key: $key, means: $means, next: $next };
        )*
        /// What `windlass explain` can say of what is declared here.
        $list_vis static $list: &[&$crate::explain::Topic] = &[$(&$name),*];
    };
}
