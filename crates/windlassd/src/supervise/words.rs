//! The words in braces that a command and its environment may have: `{port}`, `{dir}` and `{revision}`.

/// What they stand for.
pub(super) struct Words {
    pub(super) port: String,
    pub(super) dir: String,
    pub(super) revision: String,
}

impl Words {
    /// Fills in `{port}`, `{dir}` and `{revision}`. Other words in braces are an error; braces around anything else,
    /// such as JSON, stay.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            let word = rest[1..].split_once('}').map(|(word, _)| word).filter(|word| is_word(word));
            match word {
                Some("port") => filled.push_str(&self.port),
                Some("dir") => filled.push_str(&self.dir),
                Some("revision") => filled.push_str(&self.revision),
                Some(word) => {
                    return Err(format!(
                        "unknown placeholder {{{word}}} in {text:?}: there are {{port}}, {{dir}} and {{revision}}"
                    ));
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                    continue;
                }
            }
            rest = &rest[word.map_or(0, str::len) + 2..];
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_and_unknown_ones_refused() {
        let words = Words { port: "81".into(), dir: "/srv/{x}".into(), revision: "r7".into() };
        let cases = [
            ("plain", Some("plain")),
            ("--port={port}", Some("--port=81")),
            ("{revision}@{port}{port}", Some("r7@8181")),
            ("{dir}/conf", Some("/srv/{x}/conf")),
            ("{\"a\": {\"b\": 1}}", Some("{\"a\": {\"b\": 1}}")),
            ("{}{ {PORT} {port", Some("{}{ {PORT} {port")),
            ("{prot}", None),
            ("{port}{host}", None),
        ];
        for (text, filled) in cases {
            assert_eq!(words.fill(text).ok().as_deref(), filled, "{text}");
        }
    }
}
