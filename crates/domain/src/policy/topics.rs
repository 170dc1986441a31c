//! What `windlass explain` says of each kind of mistake in `windlass.yml`.

crate::topics! {
    [pub(super), pub static TOPICS]
    /// Not YAML.
    SYNTAX = "policy.syntax": "windlass.yml is not YAML, is empty, or is larger or nests deeper than a policy can.",
        "Mend the line that is shown: indentation by spaces, one document, quotes around text with `: `, `#` or braces.";
    /// A key that the grammar does not have.
    UNKNOWN_KEY = "policy.unknown-key": "A key is not part of the grammar. A misspelt key would otherwise demand nothing, silently.",
        "Use the nearest known word that is shown, or remove the key; docs/windlass-yml.md lists them all.";
    /// A key that stands twice.
    DUPLICATE_KEY = "policy.duplicate-key": "A key stands twice in one map. Which of the two counts would be a guess.",
        "Remove one of the two.";
    /// A key that is missing.
    MISSING_KEY = "policy.missing-key": "A key that has no default is missing.",
        "Add it; the hint shows an example.";
    /// A list where a text is needed, or the like.
    WRONG_TYPE = "policy.wrong-type": "A value has another shape than its key needs: a list for a text, a text for a number, nothing at all.",
        "Write it in one of the forms that the hint shows. Text with braces, such as {port}, needs quotes.";
    /// A missing or wrong unit.
    UNIT = "policy.unit": "A value has no unit, or another than its key is measured in. Windlass never guesses between 30 s and 30 min.",
        "Add the unit: 30s, 30m, 24h, 7d for time; 80% for shares; 2x for factors; plain whole numbers for counts.";
    /// A value out of its range or form.
    VALUE = "policy.value": "A value has the right shape, but is outside of what its key allows.",
        "Choose a value inside the range that the message names.";
    /// A kind that does not exist.
    UNKNOWN_KIND = "policy.unknown-kind": "A word that chooses between kinds (of target, of strategy, of evidence) is none of those that exist.",
        "Use one of the words that are listed.";
    /// A metric that is not registered.
    UNKNOWN_METRIC = "policy.unknown-metric": "A gate names a metric that Windlass cannot measure. An unknown metric is an error, never a pass.",
        "Use the nearest known metric; `windlass explain METRIC` says what each one counts.";
    /// A bound that cannot be read.
    BOUND = "policy.bound": "A bound is a comparison and a value: `>= 80%`, `== 0`, `<= 30m`. This is not one.",
        "Write one of ==, !=, >=, <=, > and < and a value in the unit of the metric, in quotes.";
    /// `needs` that cannot be satisfied.
    NEEDS = "policy.needs": "`needs` names an environment that does not exist, the environment itself, one twice, or runs in a circle; or `soak` stands without it.",
        "Name environments of this file that come before; the first one needs none.";
    /// A strategy that the target cannot do.
    STRATEGY = "policy.strategy": "The strategy cannot be done: its weights do not rise or are not between 0% and 100%, the target can only flip, or the time is too short.",
        "Let the steps rise, leave 100% out (it follows by itself), or choose blue-green on a target that can only flip.";
    /// An environment that demands nothing.
    GATES = "policy.gates": "An environment demands nothing and does not say so. Silence could as well be a forgotten gate.",
        "Add conditions under `gates`, name environments under `needs`, ask for an `approval`, or write `gates: none`.";
    /// A version that is not known.
    VERSION = "policy.version": "The grammar's version is not one that this Windlass knows.",
        "Write `version: 1`, or use a newer Windlass.";
    /// An approval that nobody could give.
    APPROVAL = "policy.approval": "An approval names nobody, names somebody unknown, or asks for more people than it names.",
        "Write `key:NAME` for a key under `keys` that signs approvals, `team:NAME` or `user:NAME` for people of the forge.";
    /// A freeze that never holds.
    FREEZE = "policy.freeze": "A freeze has no readable beginning or end, ends before it begins, or names an unknown time zone.",
        "Write dates such as 2026-12-20 or 2026-12-20T18:00, and an IANA zone such as Europe/Paris.";
    /// Keys that are missing or useless.
    KEYS = "policy.keys": "An environment wants signed evidence and no key is listed that could sign it, or a key vouches for nothing.",
        "Make a key with `windlass keygen` and list its public half under `keys`, or write `evidence: unsigned`.";
    /// A hook that stands nowhere.
    HOOKS = "policy.hooks": "A hook names no phase, or stands before one and after another.",
        "Write `before:` or `after:` with one of stage, migrate, shift, commit, retire and revert.";
    /// A receiver that cannot be told.
    NOTIFY = "policy.notify": "A notification has no receiver or two, names an environment that is not there, or has a URL or a password where the name of a variable belongs.",
        "Write one receiver an item, and the name of a variable for each secret: `slack: SLACK_URL`. Change a secret that stood in the file.";
    /// A target that cannot be reached.
    TARGET = "policy.target": "A target has an unreadable address, an empty command, or a name that its platform refuses.",
        "Write an address such as 127.0.0.1:8080 and a command as a list: [bin/shop, --port, \"{port}\"].";
    /// A name that cannot be used.
    NAME = "policy.name": "Names of the application, of environments and of keys become folders and labels: lower-case letters, digits and dashes, at most 63.",
        "Rename it, for example my-shop.";
}
