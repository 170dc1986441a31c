//! What `windlass explain` says of the failures that every tool shares.

windlass_domain::topics! {
    [pub, pub static TOPICS]
    /// Wrong flags.
    USAGE = "usage": "The command line is wrong. Nothing was touched.",
        "Run the tool with --help; the message names the flag.";
    /// No `windlass.yml`.
    POLICY_MISSING = "policy.missing": "No windlass.yml was found from the working folder up to the repository's root.",
        "Run `windlass init`, or name the file with --config.";
    /// `windlass.yml` cannot be read.
    POLICY_UNREADABLE = "policy.unreadable": "windlass.yml is there and cannot be read.",
        "Check that it is a file, that you may read it, and that it is UTF-8.";
    /// `windlass.yml` has mistakes.
    POLICY_INVALID = "policy.invalid": "windlass.yml has mistakes; each is shown with its place. Nothing was touched.",
        "Mend them all, then run `windlass check`.";
    /// The environment is not given, or unknown.
    ENVIRONMENT = "environment": "The environment is not given where the policy has several, or has no such name.",
        "Name one with --environment; the message lists them.";
    /// The artifact cannot be found or read.
    ARTIFACT = "artifact": "The artifact is missing, empty, unreadable, or changed while it was read. Nothing was touched.",
        "Build it first; do not build while a release runs; check release.artifact in windlass.yml.";
    /// The evidence file cannot be read or written.
    EVIDENCE_FILE = "evidence.file": "The evidence file cannot be read or written.",
        "Check the path, its permissions and the space on the disk.";
    /// A key cannot be used.
    KEY = "key": "A key is missing or is not Ed25519 in PEM (PKCS#8 for a private one).",
        "Make one with `windlass keygen`, and check the path or the variable WINDLASS_SIGNING_KEY.";
    /// A report cannot be written.
    REPORT_FILE = "report.file": "A report or an output of the CI system cannot be written.",
        "Check --report-dir, its permissions and the space on the disk.";
    /// A bug.
    BUG = "bug": "Windlass itself went wrong.", "Please report it, with the message and the version.";
}
