//! What could not be scanned: never clean, never a finding.

use windlass_domain::explain::Topic;
use windlass_domain::outcome::Reason;

use crate::finding::Kind;

/// Something that could not be scanned.
#[derive(Clone, Debug)]
pub(crate) struct Gap {
    /// Which scan it makes incomplete.
    pub(crate) kind: Kind,
    /// What `windlass explain` says of it.
    pub(crate) topic: &'static Topic,
    /// The file or folder. Comes from outside.
    pub(crate) place: String,
    /// Why. Comes partly from outside, and never holds a scanned file's content.
    pub(crate) why: String,
    /// What to do.
    pub(crate) next: String,
}

impl Gap {
    /// Something that could not be scanned, with what the topic says to do about it.
    pub(crate) fn new(
        kind: Kind,
        topic: &'static Topic,
        place: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { kind, topic, place: place.into(), why: why.into(), next: topic.next.to_owned() }
    }

    /// Says what to do in this very case.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// The same as a reason of the document.
    pub(crate) fn reason(&self) -> Reason {
        Reason::new(self.topic.key)
            .observed(format!("{} not scanned", self.kind.scan()))
            .required("everything scanned")
            .place(self.place.clone())
            .why(self.why.clone())
            .next(self.next.clone())
    }
}
