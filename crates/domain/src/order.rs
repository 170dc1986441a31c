//! Order: whether a release may follow the one that is live, by commit ancestry.
//!
//! Timestamps and run numbers say nothing about order: an older commit that finishes later must not win.

/// How a release's commit relates to the live one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Nothing is live, or one of the two has no commit: only the fence orders them.
    Unordered,
    /// The same commit.
    Same,
    /// The live commit is an ancestor of this one.
    Newer,
    /// This commit is an ancestor of the live one.
    Older,
    /// Neither is an ancestor of the other.
    Diverged,
    /// The repository at hand does not know one of them, for instance because it is a shallow clone.
    Unknown {
        /// What was tried, and what came of it.
        why: String,
    },
}

/// Whether a deploy may go on. A rollback carries explicit intent and does not ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It may.
    Follows,
    /// It may not: what is live is newer, or not contained in it.
    Superseded {
        /// Why, in a sentence.
        why: &'static str,
    },
    /// It cannot be judged.
    Unclear {
        /// Why.
        why: String,
    },
}

impl Relation {
    /// What follows from it.
    #[must_use]
    pub fn order(self) -> Order {
        match self {
            Self::Unordered | Self::Same | Self::Newer => Order::Follows,
            Self::Older => Order::Superseded {
                why: "the live release was built from a newer commit that contains this one",
            },
            Self::Diverged => Order::Superseded {
                why: "the live release was built from a commit that this one does not contain",
            },
            Self::Unknown { why } => Order::Unclear { why },
        }
    }
}
