//! Masks: values of secret variables, hidden in what commands of the author said.

use std::collections::BTreeMap;

/// What stands in the name of a variable that holds a secret.
const SECRET: [&str; 9] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "CREDENTIAL",
    "PRIVATE",
    "API_KEY",
    "ACCESS_KEY",
    "SIGNING_KEY",
];

/// The shortest text that is hidden, in bytes: a shorter one would hide what is no secret.
const SHORTEST: usize = 6;

/// The texts that are hidden.
#[derive(Clone, Default)]
pub(crate) struct Masks(Vec<String>);

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masks({})", self.0.len())
    }
}

impl Masks {
    /// Each line of the value of each variable whose name says that it is secret.
    pub(crate) fn of(vars: &BTreeMap<String, String>) -> Self {
        let is_secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            SECRET.iter().any(|word| name.contains(word))
        };
        let values = vars.iter().filter(|(name, _)| is_secret(name)).flat_map(|(_, value)| value.lines());
        let mut texts: Vec<String> =
            values.map(str::trim).filter(|line| line.len() >= SHORTEST).map(str::to_owned).collect();
        // The longest first: one may be a part of another.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
    }

    /// The text without them.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_variables_are_hidden_and_others_are_not() {
        let vars = [
            ("GITHUB_TOKEN", "ghs_abcdef"),
            ("deploy_password", "hunter2hunter2\nhunter2hunter2hunter2\n"),
            ("DB_SECRET", "no"),
            ("HOME", "/home/runner"),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let masks = Masks::of(&vars);
        let said = "ghs_abcdef in /home/runner, no hunter2hunter2hunter2 nor hunter2hunter2";
        assert_eq!(masks.hide(said), "*** in /home/runner, no *** nor ***");
        assert_eq!(format!("{masks:?}"), "Masks(3)");
    }
}
