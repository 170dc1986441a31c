//! Commands for a far shell: fixed scripts, and arguments that it cannot take for anything else.

/// A word for a POSIX shell that stands for exactly `text`.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The command line that has `/bin/sh` run a script with these arguments as `$1` and so on, whatever the login shell
/// is that reads it. A NUL cannot be in an argument of any process: `None`.
pub(super) fn command_line(script: &str, arguments: &[&str]) -> Option<String> {
    let mut line = format!("exec /bin/sh -c {} windlass", quoted(script));
    for argument in arguments {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    (!line.contains('\0')).then_some(line)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What two shells, one inside the other as with ssh, make of the arguments.
    fn through_shells(arguments: &[&str]) -> Vec<u8> {
        let line = command_line(r#"printf '%s\0' "$@""#, arguments).expect("no NUL");
        Command::new("/bin/sh").arg("-c").arg(line).output().expect("a shell").stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn hosts_arguments_reach_the_far_script_byte_for_byte(
            words in proptest::collection::vec("[^\\x00]{0,12}|[-'\"`$();&|<>\\\\ \n*!#~{}]{0,12}", 1..4)
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let expected: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            prop_assert_eq!(through_shells(&words), expected);
        }
    }

    #[test]
    fn hosts_an_argument_with_a_nul_is_no_argument() {
        assert_eq!(command_line("true", &["a\0b"]), None);
    }
}
