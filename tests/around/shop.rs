//! A shop with a tiny database: a file that holds the number of its schema. A release that cannot read it ends at once.

use std::os::unix::fs::PermissionsExt as _;

use crate::project::Project;

/// A project whose releases read and migrate a database.
pub(crate) struct Shop(pub(crate) Project);

impl Shop {
    /// Version `label`, which reads schemas 1 and 2 of a database that has schema 1.
    pub(crate) fn new(label: &str) -> Self {
        let shop = Self(Project::new(label));
        shop.0.write("state-db", "1");
        shop.0.policy("artifact: dist/", "artifact: dist/\n  schema: 1\n  reads: 1..2");
        shop.build(label, "1 2", "exit 0");
        shop
    }

    /// Builds a version that reads these schemas, and whose migration notes its start and then does `up`.
    pub(crate) fn build(&self, label: &str, reads: &str, up: &str) {
        let folder = self.0.folder.path().display().to_string();
        let program = env!("CARGO_BIN_EXE_windlass");
        self.script(
            "dist/bin/shop",
            &format!(
                "schema=$(cat '{folder}/state-db')\n\
                 case ' {reads} ' in *\" $schema \"*) ;; *) echo \"cannot read schema $schema\"; exit 9;; esac\n\
                 exec '{program}' demo-service --port \"$2\" --version-label {label}"
            ),
        );
        self.script("dist/bin/migrate", &format!("echo {label} >> '{folder}/state-ups'\n{up}"));
        self.0.git(&["add", "-A"]);
        self.0.git(&["commit", "-q", "-m", label]);
    }

    pub(crate) fn script(&self, name: &str, body: &str) {
        self.0.write(name, &format!("#!/bin/sh\n{body}\n"));
        std::fs::set_permissions(self.0.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What brings the database to schema 2, as a line of the shell.
    pub(crate) fn to_two(&self) -> String {
        format!("echo 2 > '{}'", self.0.path("state-db").display())
    }

    /// The releases whose migrations were begun, in order.
    pub(crate) fn ups(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.path("state-ups")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn database(&self) -> String {
        std::fs::read_to_string(self.0.path("state-db")).unwrap().trim().to_owned()
    }

    /// The policy of a release that writes schema 2.
    pub(crate) fn writes_two(&self, reads: &str, reversible: bool) {
        self.0.policy(
            "schema: 1\n  reads: 1..2",
            &format!("schema: 2\n  reads: {reads}\n  migrate: {{ up: [bin/migrate], reversible: {reversible}, timeout: 20s }}"),
        );
    }
}
