//! The agent's own program, started again for a small part of its work.

use std::fs;

use tokio::process::Command;

/// The file that runs now, also where another has taken its name since.
const MYSELF: &str = "/proc/self/exe";

/// A command of this program whose first argument is `word`, in whichever way this process was started.
pub(crate) fn itself(word: &str) -> Command {
    let mut command = Command::new(MYSELF);
    let line = fs::read("/proc/self/cmdline").unwrap_or_default();
    if is_command_of_umbrella(&line) {
        command.arg(UMBRELLAS);
    }
    command.arg(word);
    command
}

/// What the umbrella calls the agent.
const UMBRELLAS: &str = "windlassd";

/// Whether a process with these arguments, each ended by a zero byte, is the agent as a command of the umbrella.
fn is_command_of_umbrella(line: &[u8]) -> bool {
    line.split(|byte| *byte == 0).nth(1) == Some(UMBRELLAS.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_umbrella_is_told_which_of_its_commands_is_meant() {
        assert!(is_command_of_umbrella(b"/usr/bin/windlass\0windlassd\0--root\0/srv\0"));
        assert!(is_command_of_umbrella(b"renamed\0windlassd\0"));
        for line in [&b"/usr/bin/windlassd\0--root\0windlassd\0"[..], b"windlassd\0", b""] {
            assert!(!is_command_of_umbrella(line));
        }
        let command = itself("--word");
        assert_eq!(command.as_std().get_args().collect::<Vec<_>>(), ["--word"], "this test is no umbrella");
    }
}
